"""What a page says of one feed, worked out from its manifests and files.

Sums are over all that was delivered; by window, over the last of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from cio_pipeline.model.errors import ObjectMissing
from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.model.manifests import Manifest
from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.files import FeedFile

Rows = Sequence[Mapping[str, Any]]

STEPS = ("sent", "delivered", "opened", "clicked", "converted")
"""The steps of the funnel; opened and clicked are those by people."""

_FLAGS = ("proxied", "prefetched", "machine")


@dataclass(frozen=True)
class Held:
    """Rows that were held back, as the sender's ledger has them."""

    export: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Facts:
    """One feed: sums, and a table for each picture.

    `volume` has window, export, rows; `lag` window, minutes; `sizes` export, files, rows, bytes,
    largest; `funnel` channel, step, deliveries; `acts` act, by, times; `coverage` known, people,
    of. Times are in UTC, sizes in bytes.
    """

    name: str
    place: str
    manifests: int
    until: datetime | None
    files: int
    rows: int
    bytes: int
    volume: Rows = ()
    lag: Rows = ()
    sizes: Rows = ()
    funnel: Rows = ()
    acts: Rows = ()
    coverage: Rows = ()
    held: Sequence[Held] = field(default=())
    unread: str = ""
    """Why nothing is told of rows, where a file of theirs is gone."""


def facts_of(name: str, feed: Feed, windows: int, held: Sequence[Held]) -> Facts:
    """What is to be said of a feed; `windows` is how many of the last are shown one by one.

    Raises what reading the feed raises, but for files that are gone: manifests tell the rest.
    """
    files = feed.files()
    chain = feed.contents.chain
    manifests = chain.manifests if chain else ()
    of_rows, unread = _of_rows(feed)
    return Facts(
        name=name,
        place=feed.destination.describe(),
        manifests=len(manifests),
        until=max((one.window_end for one in _listed(manifests)), default=None),
        files=len(files),
        rows=sum(one.rows or 0 for one in files),
        bytes=sum(one.bytes for one in files),
        volume=_volume(manifests, windows),
        lag=_lag(manifests, windows),
        sizes=_sizes(files),
        **of_rows,
        held=held,
        unread=unread,
    )


def _of_rows(feed: Feed) -> tuple[dict[str, Rows], str]:
    """What rows tell, and what stands in the way: retention may have deleted their files."""
    if feed.contents.kind is not FeedKind.DATA_OUT:
        return {}, ""
    try:
        return _of_messages(feed), ""
    except ObjectMissing as error:
        return {}, error.message


def _listed(manifests: Iterable[Manifest]) -> list[Any]:
    return [file for one in manifests for file in one.files]


def _volume(manifests: Sequence[Manifest], windows: int) -> Rows:
    rows: dict[tuple[datetime, str], int] = defaultdict(int)
    for file in _listed(manifests):
        rows[file.window_end, file.export] += file.rows
    last = sorted({window for window, _ in rows})[-windows:]
    return [
        {"window": window, "export": export, "rows": count}
        for (window, export), count in sorted(rows.items())
        if window in last
    ]


def _lag(manifests: Sequence[Manifest], windows: int) -> Rows:
    """Minutes from a window's end to the manifest that lists its last file."""
    told: dict[datetime, datetime] = {}
    for one in manifests:
        for window in {file.window_end for file in one.files}:
            told[window] = max(one.created_at, told.get(window, one.created_at))
    return [
        {"window": window, "minutes": round((at - window).total_seconds() / 60, 2)}
        for window, at in sorted(told.items())[-windows:]
    ]


def _sizes(files: Sequence[FeedFile]) -> Rows:
    by_export: dict[str, list[FeedFile]] = defaultdict(list)
    for file in files:
        by_export[file.export].append(file)
    return [
        {
            "export": export,
            "files": len(found),
            "rows": sum(one.rows or 0 for one in found),
            "bytes": sum(one.bytes for one in found),
            "largest": max(one.bytes for one in found),
        }
        for export, found in by_export.items()
    ]


def _of_messages(feed: Feed) -> dict[str, Rows]:
    there = {file.export for file in feed.files()}
    found: dict[str, Rows] = {}
    if {"deliveries", "metrics"} <= there:
        metrics = _with_flags(feed.table("metrics"))
        found["funnel"] = _funnel(feed.table("deliveries"), metrics)
        found["acts"] = _acts(metrics)
    if "people" in there:
        found["coverage"] = _coverage(feed.table("people"))
    return found


def _with_flags(metrics: pl.LazyFrame) -> pl.LazyFrame:
    """v4 does not say what a machine did: there, all count as people's."""
    known = metrics.collect_schema().names()
    none = pl.lit(value=False)
    flags = [
        (pl.col(one).fill_null(value=False) if one in known else none).alias(one) for one in _FLAGS
    ]
    return metrics.select("delivery_id", "metric", *flags)


def _funnel(deliveries: pl.LazyFrame, metrics: pl.LazyFrame) -> Rows:
    opened = (pl.col("metric") == "opened") & ~pl.col("proxied") & ~pl.col("prefetched")
    clicked = (pl.col("metric") == "clicked") & ~pl.col("machine")
    others = pl.col("metric").is_in(["sent", "delivered", "converted"])
    steps = metrics.filter(opened | clicked | others).select("delivery_id", "metric").unique()
    made = deliveries.select("delivery_id", channel="delivery_type")
    counted = (
        steps.join(made, on="delivery_id").group_by("channel", "metric").len().collect().rows()
    )
    count = {(channel, step): number for channel, step, number in counted}
    channels = sorted({channel for channel, _ in count})
    return [
        {"channel": channel, "step": step, "deliveries": count.get((channel, step), 0)}
        for channel in channels
        for step in STEPS
    ]


def _acts(metrics: pl.LazyFrame) -> Rows:
    by = (
        pl.when(pl.col("metric") == "clicked")
        .then(pl.when("machine").then(pl.lit("machines")).otherwise(pl.lit("people")))
        .when("prefetched")
        .then(pl.lit("prefetching"))
        .when("proxied")
        .then(pl.lit("proxies"))
        .otherwise(pl.lit("people"))
    )
    acts = metrics.filter(pl.col("metric").is_in(["opened", "clicked"]))
    counted = acts.group_by("metric", by=by).len().sort("metric", "by", descending=[True, False])
    return [{"act": act, "by": who, "times": n} for act, who, n in counted.collect().iter_rows()]


def _coverage(people: pl.LazyFrame) -> Rows:
    here = people.filter(
        ~pl.col("deleted").fill_null(value=False), ~pl.col("suppressed").fill_null(value=False)
    )
    row = here.select(
        of=pl.len(),
        id=(pl.col("customer_id") != "").sum(),
        email=(pl.col("email_addr").fill_null("") != "").sum(),
    )
    found = row.collect().row(0, named=True)
    if not found["of"]:
        return []
    return [
        {"known": known, "people": found[known], "of": found["of"]} for known in ("id", "email")
    ]

"""A bucket of 10 M metrics rows in 1,000 files: into DuckDB, against a bare CREATE TABLE of them.

And what one more manifest costs after that history, and what `Feed.table()` takes of memory.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.measure import in_child, measured, peak_mib
from benchmarks.product import NEXT, NOON, fresh
from benchmarks.report import MILLION, Report, counted
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import CURRENT_VERSION, fingerprint
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.files.encode import encode
from cio_pipeline.files.names import FileName, render_name
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.changeset import SERIES
from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.model.manifests import (
    FOLDER,
    Manifest,
    ManifestFile,
    digest,
    manifest_key,
    render_manifest,
)
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.reader import Feed
from cio_pipeline.reader.warehouse.database import opened
from cio_pipeline.reader.warehouse.load import load

ROUNDS = 2
ROWS_PER_FILE = 10_000
FILES_PER_MANIFEST = 50
GOAL = 0.8
GOAL_MIB = 1024
METRICS = EXPORTS["metrics"]


def run(data: Path, scale: float) -> Report:
    """Both in turn, the better round of each by the clock; then one more manifest; then `Feed`."""
    count = max(int(10 * MILLION * scale), 2 * ROWS_PER_FILE)
    bucket = _bucket(data, count)
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    with fresh(data / "warehouse") as folder:
        for _ in range(ROUNDS):
            place, into = str(bucket), str(folder / "w.duckdb")
            bare.append(in_child("warehouse:create", bucket=place, into=into))
            ours.append(in_child("warehouse:load_all", bucket=place, into=into))
        more = in_child("warehouse:load_more", bucket=str(bucket), folder=str(folder))
    table = in_child("warehouse:table", bucket=str(bucket))
    best, plain = (min(some, key=lambda one: one["wall"]) for some in (ours, bare))
    ratio = plain["wall"] / best["wall"]
    return Report(
        "warehouse",
        f"{counted(count)} metrics rows from {count // ROWS_PER_FILE:,} files into DuckDB",
        f"by the clock at least {GOAL} of a bare CREATE TABLE of the same files; one more manifest "
        f"costs as much after all of them as alone; Feed.table() under {GOAL_MIB:,} MiB",
        f"{ratio:.2f} by the clock, {plain['cpu'] / best['cpu']:.2f} by CPU seconds; "
        f"{more['after']['cpu']:.2f} after all, {more['alone']['cpu']:.2f} CPU s alone; "
        f"{table['peak']:,} MiB",
        ("", "CPU s", "wall s", "rows per CPU s", "peak MiB"),
        [
            _row("CREATE TABLE AS", plain, count),
            _row("warehouse load", best, count),
            _row("one more manifest, alone", more["alone"], ROWS_PER_FILE),
            _row("one more manifest, after all", more["after"], ROWS_PER_FILE),
            _row("Feed.table() into a file", table, count),
        ],
        {"rows": count, "bare": bare, "ours": ours, "more": more, "table": table, "ratio": ratio},
    )


def create(bucket: str, into: str) -> dict[str, Any]:
    """DuckDB alone, which checks nothing and notes nothing."""
    Path(into).unlink(missing_ok=True)
    files = sorted(map(str, Path(bucket).glob("*.parquet")))
    with measured() as cost, duckdb.connect(into) as database:
        database.execute("CREATE TABLE metrics AS SELECT * FROM read_parquet(?)", [files])
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib()}


def load_all(bucket: str, into: str) -> dict[str, Any]:
    """All manifests, from scratch."""
    Path(into).unlink(missing_ok=True)
    with measured() as cost, opened(Path(into)) as database:
        done = load(database, bucket)
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib(), "rows": done.rows}


def load_more(bucket: str, folder: str) -> dict[str, Any]:
    """One more manifest with a file: alone in a bucket, and after all others."""
    alone, after = Path(folder) / "alone", Path(folder) / "after"
    _make(alone, ROWS_PER_FILE, 1)
    shutil.copytree(bucket, after, copy_function=_linked)
    last = _last(after)
    one = _last(alone).files[0]
    number = last.files[-1].part or 0
    name = FileName("metrics", CURRENT_VERSION, Series.PLAIN, 1, 1, number + 1)
    key = render_name(name)
    shutil.copy(alone / one.key, after / key)
    found: dict[str, Any] = {}
    with opened(Path(folder) / "w.duckdb") as database:
        # The same bucket in another place: it goes on from what is loaded.
        load(database, after, schema="bench")
        body = digest((after / manifest_key(last.ordinal)).read_bytes())
        file = replace(one, key=key, part=number + 1)
        more = replace(last, ordinal=last.ordinal + 1, previous=body, files=(file,))
        (after / manifest_key(more.ordinal)).write_bytes(render_manifest(more))
        with measured() as cost:
            load(database, after, schema="bench")
        found["after"] = {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib()}
    with opened(Path(folder) / "alone.duckdb") as database:
        with measured() as cost:
            load(database, alone)
        found["alone"] = {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib()}
    return found


def table(bucket: str) -> dict[str, Any]:
    """The newest rows of all files, streamed into one."""
    with measured() as cost:
        Feed(bucket).table("metrics").sink_parquet(Path(bucket).with_suffix(".newest"))
    Path(bucket).with_suffix(".newest").unlink()
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib()}


def make(folder: str, count: int) -> None:
    """A bucket with so many rows."""
    _make(Path(folder), count, FILES_PER_MANIFEST)


def _bucket(data: Path, count: int) -> Path:
    """A bucket with so many rows, kept from one run to the next."""
    made = data / f"bucket-{count}"
    if not made.exists():
        unfinished = made.with_name(f"{made.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        in_child("warehouse:make", folder=str(unfinished), count=count)
        unfinished.rename(made)
    return made


def _make(bucket: Path, count: int, together: int) -> None:
    (bucket / FOLDER).mkdir(parents=True)
    files = list(_files(bucket, count))
    previous = None
    for ordinal, first in enumerate(range(0, len(files), together), 1):
        manifest = Manifest(
            sync_id="bench",
            workspace_id=1,
            feed=FeedKind.DATA_OUT,
            version=CURRENT_VERSION,
            generation=1,
            ordinal=ordinal,
            created_at=NEXT.end + timedelta(minutes=15 * ordinal),
            previous=previous,
            files=tuple(files[first : first + together]),
            void=(),
            exports=(),
        )
        body = render_manifest(manifest)
        previous = digest(body)
        (bucket / manifest_key(ordinal)).write_bytes(body)


def _files(bucket: Path, count: int) -> Iterator[ManifestFile]:
    folder = bucket.with_name(f"{bucket.name}.spool")
    spool = Spool(folder)
    for first in range(0, count, MILLION):
        some = min(MILLION, count - first)
        encoded = encode(
            _rows(first, some).lazy(),
            pl.LazyFrame(schema=_REJECTS),
            METRICS,
            CURRENT_VERSION,
            "us",
            rows_per_file=ROWS_PER_FILE,
            spool=spool,
            folder="f",
        )
        for file in encoded.files:
            part = first // ROWS_PER_FILE + file.index + 1
            name = FileName("metrics", CURRENT_VERSION, Series.PLAIN, 1, 1, part)
            shutil.copy(spool.path(file.path), bucket / render_name(name))
            yield ManifestFile(
                render_name(name), "metrics", Series.PLAIN, 1, part, file.rows, file.bytes,
                file.sha256, fingerprint(METRICS, CURRENT_VERSION), CURRENT_VERSION, NOON, 1,
                Mode.INITIAL, None, None,
            )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


def _rows(first: int, count: int) -> pl.DataFrame:
    """Metrics of email: each event of its own, three to a delivery, texts as long as real ones."""
    number = pl.int_range(first, first + count)
    hashed = number.hash(seed=1).cast(pl.String)
    texts = {
        "event_id": pl.lit("01HX") + hashed.str.zfill(22),
        "delivery_id": pl.lit("dgTQ") + (number // 3).hash(seed=2).cast(pl.String).str.zfill(24),
        "metric": pl.lit("delivered"),
        "link_url": pl.when(number % 5 == 0).then(pl.lit("https://example.org/offers/") + hashed),
        "user_agent": pl.lit("Mozilla/5.0 (Linux; build ") + (number % 97).cast(pl.String) + ")",
        "email_client": pl.lit("gmail"),
        "inbox_domain": pl.lit("example.org"),
        "inbox_provider": pl.lit("google"),
        "mx_host": pl.lit("mx1.example.org"),
    }
    known = texts | {"workspace_id": pl.lit(1), "seq_num": number, "link_id": number % 7}
    at = pl.lit(NOON).cast(pl.Datetime("us", "UTC")) + pl.duration(milliseconds=number)
    schema = polars_schema(METRICS, CURRENT_VERSION)
    empty = {name: pl.lit(None if dtype == pl.String else False) for name, dtype in schema.items()}
    chosen = empty | known | {"created_at": at}
    series = pl.lit(Series.PLAIN.value).alias(SERIES)
    return pl.select(*(chosen[n].cast(d).alias(n) for n, d in schema.items()), series)


_REJECTS = {
    "workspace_id": pl.Int64(),
    "identity": pl.String(),
    "reason": pl.String(),
    "count": pl.UInt32(),
}


def _last(bucket: Path) -> Manifest:
    found = Feed(bucket).contents.chain
    if found is None:
        raise RuntimeError("no manifests")
    return found.manifests[-1]


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _row(name: str, cost: dict[str, Any], rows: int) -> tuple[str, ...]:
    speed = f"{rows / cost['cpu'] / 1000:,.0f} k"
    return (name, f"{cost['cpu']:.2f}", f"{cost['wall']:.2f}", speed, f"{cost['peak']:,}")

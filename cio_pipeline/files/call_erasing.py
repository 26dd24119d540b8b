"""Files of calls without what is personal in a person's calls; all else stays as it was (C3)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.files.addresses import holding, spellings
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.model.erasure import Traces
from cio_pipeline.model.json_text import decoded, fields

_AT_A_TIME = 10_000
_USER = "user_id"
_NAMED = (_USER, "previous_id")
_ANONYMOUS = "anonymous_id"
_GROUP = "group_id"
_TRAITS = "traits"


def erase_calls(
    copy: Path, to: Path, export: Export, traces: Traces, *, file_format: str, unit: str
) -> int | None:
    """Write a file of one type again, and tell its rows; None if none is theirs.

    Of their calls the personal columns become null. Raises what Polars, the disk and NotJson say.
    """
    if file_format == "json":
        return _erase_lines(copy, to, export, traces)
    about, found, rows = _is_about(export, traces), 0, 0
    told = pl.read_parquet_metadata(copy) if file_format == "parquet" else {}
    ours = {name: value for name, value in told.items() if name.startswith("cio.")}
    written = CallFile(to, export, file_format, unit, ours)
    for batch in _batches(copy, export, file_format):
        gone = batch.select(about).to_series()
        found, rows = found + int(gone.sum()), rows + batch.height
        empty = [pl.when(~gone).then(c.name).alias(c.name) for c in export.columns if c.personal]
        written.write(batch.with_columns(empty))
    written.close()
    return rows if found else None


def told_by_calls(copy: Path, export: Export, file_format: str, traces: Traces) -> Traces:
    """What the person's calls tell of them besides: other ids that they called under.

    A call that only mentions their address is whoever's called it.
    """
    for one in _about(copy, export, file_format, traces):
        if not _is_theirs(one, traces):
            continue
        others = {value for name in _NAMED if (value := one.get(name))}
        unnamed = {value} if (value := one.get(_ANONYMOUS)) else set[str]()
        traces |= Traces(names=frozenset(others), anonymous=frozenset(unnamed))
    return traces


def _is_theirs(one: Mapping[str, str | None], traces: Traces) -> bool:
    """Whether a call about the person has one of their ids, or traits with their address."""
    if any(one.get(name) in traces.names for name in _NAMED):
        return True
    unnamed = not one.get(_USER) and one.get(_ANONYMOUS) in traces.anonymous
    return unnamed or _address(one.get(_TRAITS)) in {email.lower() for email in traces.emails}


def _address(traits: str | None) -> str | None:
    told: Any = decoded(traits) if traits else None
    its: Any = cast("dict[str, Any]", told).get("email") if isinstance(told, dict) else None
    return its.lower() if isinstance(its, str) else None


def _about(
    copy: Path, export: Export, file_format: str, traces: Traces
) -> Iterator[Mapping[str, str | None]]:
    """The ids of calls about the person; where they are the caller's, also traits."""
    known = {column.name for column in export.columns}
    traits_are_theirs = _TRAITS in known and _GROUP not in known
    if file_format == "json":
        needles = _needles(traces)
        for line in _lines(copy):
            if _may_be(line, needles) and _names_them(raw := fields(line), traces):
                told = {name: _text(raw, name) for name in _IDS}
                yield told | ({_TRAITS: raw.get(_TRAITS)} if traits_are_theirs else {})
        return
    wanted = {*_IDS, _TRAITS} if traits_are_theirs else _IDS
    for batch in _batches(copy, export, file_format):
        its = batch.filter(_is_about(export, traces)).select(known & wanted)
        yield from its.iter_rows(named=True)


def _batches(copy: Path, export: Export, file_format: str) -> Iterator[pl.DataFrame]:
    if file_format == "parquet":
        rows = pl.scan_parquet(copy)
    else:
        text = dict.fromkeys((column.name for column in export.columns), pl.String())
        rows = pl.scan_csv(copy, schema=text)
    yield from rows.collect_batches(chunk_size=_AT_A_TIME, maintain_order=True, engine="streaming")


def _is_about(export: Export, traces: Traces) -> pl.Expr:
    known = {column.name for column in export.columns}
    found = [_among(name, traces.names) for name in _NAMED if name in known]
    # Of a device that is shared, calls of somebody else name them.
    unnamed = pl.col(_USER).fill_null("") == ""
    found.append(_among(_ANONYMOUS, traces.anonymous) & unnamed)
    if traces.emails:
        address = holding(traces.emails)
        texts = [c.name for c in export.columns if c.personal and c.name not in _IDS]
        found += [pl.col(name).str.contains(address) for name in texts]
    return pl.any_horizontal(one.fill_null(value=False) for one in found)


_IDS = frozenset({*_NAMED, _ANONYMOUS})


def _among(name: str, values: Iterable[str]) -> pl.Expr:
    return pl.col(name).is_in(sorted(values))


def _erase_lines(copy: Path, to: Path, export: Export, traces: Traces) -> int | None:
    needles = _needles(traces)
    personal = {column.name for column in export.columns if column.personal}
    found = rows = 0
    with to.open("w", encoding="utf-8", newline="") as written:
        for line in _lines(copy):
            rows += 1
            if _may_be(line, needles) and _names_them(raw := fields(line), traces):
                found += 1
                left = (f'"{name}":{text}' for name, text in raw.items() if name not in personal)
                line = "{" + ",".join(left) + "}\n"  # noqa: PLW2901 - the same line, less of it
            written.write(line)
    return rows if found else None


def _lines(copy: Path) -> Iterator[str]:
    with copy.open(encoding="utf-8", newline="\n") as lines:
        yield from lines


def _needles(traces: Traces) -> tuple[str, ...]:
    """One of these is in each line that may be theirs; an escaped one has a backslash."""
    found = {*traces.names, *spellings(traces.emails), *traces.anonymous}
    return (*(one.lower() for one in sorted(found)), "\\")


def _may_be(line: str, needles: tuple[str, ...]) -> bool:
    low = line.lower()
    return any(one in low for one in needles)


def _names_them(raw: Mapping[str, str], traces: Traces) -> bool:
    if any(_text(raw, name) in traces.names for name in _NAMED):
        return True
    if not _text(raw, _USER) and _text(raw, _ANONYMOUS) in traces.anonymous:
        return True
    address = re.compile(holding(traces.emails)) if traces.emails else None
    texts = (text for name, text in raw.items() if name not in _IDS)
    return address is not None and any(address.search(text) for text in texts)


def _text(raw: Mapping[str, str], name: str) -> str | None:
    value: Any = decoded(raw[name]) if name in raw else None
    return value if isinstance(value, str) else None

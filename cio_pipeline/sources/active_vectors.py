"""The deletion vectors of a table at a version, from its last checkpoint and the entries after it.

deltalake reads them too, but not beside reader features that it does not know, and it holds all of
them in memory.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from cio_pipeline.sources.deletion_vectors import Vector
from cio_pipeline.sources.delta_log import CommitLog, log_damaged
from cio_pipeline.sources.places import file_place, store_options

_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10})|\.[^.]+)?\.(?:parquet|json)$")


def vectors_at(log: CommitLog, version: int) -> dict[str, Vector]:
    """The vectors of the files of a version that have one, by the names that the log has.

    Raises VersionGone, SourceUnavailable, SourceError; Polars' own errors for a checkpoint.
    """
    start, files = _checkpoint(log, version)
    found: dict[str, Vector] = {}
    for place in files:
        found.update(_stored(place, log.storage_options))
    for entry in log.entries(start + 1, version) if start < version else ():
        try:
            _follow(entry.actions(), found)
        except ValueError as error:
            raise log_damaged(log.table, entry.version) from error
    return found


def _follow(actions: Iterable[tuple[str, dict[str, Any]]], found: dict[str, Vector]) -> None:
    """What a commit does to the vectors: it removes files first, then adds them."""
    added: dict[str, Vector | None] = {}
    for kind, fields in actions:
        if kind == "remove":
            found.pop(fields["path"], None)
        elif kind == "add":
            added[fields["path"]] = fields.get("deletionVector")
    for path, vector in added.items():
        if vector is None:
            found.pop(path, None)
        else:
            found[path] = vector


def _checkpoint(log: CommitLog, version: int) -> tuple[int, list[str]]:
    """(version, files) of the last whole checkpoint up to a version; (-1, []) if there is none."""
    parts: defaultdict[tuple[int, int | None], list[str]] = defaultdict(list)
    for name in log.names():
        match = _CHECKPOINT.search(name)
        if match and int(match[1]) <= version:
            of = int(match[2]) if match[2] else None
            parts[int(match[1]), of].append(f"{log.folder}/{match[0]}")
    whole = {
        at: sorted(places) if of else places[:1]
        for (at, of), places in parts.items()
        if of is None or len(places) == of
    }
    last = max(whole, default=-1)
    return last, whole.get(last, [])


def _stored(place: str, options: Mapping[str, str]) -> Iterator[tuple[str, Vector]]:
    """The vectors that a checkpoint's file holds, or those that it refers to (its sidecars)."""
    stored = store_options(options)
    rows = (
        pl.scan_ndjson(place, storage_options=stored)
        if place.endswith(".json")
        else pl.scan_parquet(place, glob=False, storage_options=stored)
    )
    names = rows.collect_schema()
    if "sidecar" in names:
        folder = place.rpartition("/")[0]
        for path in _fields(rows, "sidecar", ["path"])["path"].drop_nulls():
            yield from _stored(file_place(f"{folder}/_sidecars", path), options)
    add = names.get("add")
    if isinstance(add, pl.Struct) and "deletionVector" in {field.name for field in add.fields}:
        yield from _fields(rows, "add", ["path", "deletionVector"]).drop_nulls().iter_rows()


def _fields(rows: pl.LazyFrame, action: str, fields: list[str]) -> pl.DataFrame:
    return rows.select(pl.col(action).struct.field(fields)).collect(engine="streaming")

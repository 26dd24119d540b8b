"""The deletion vectors of a table at a version, from its last checkpoint and the entries after it.

deltalake reads them too, but not beside reader features that it does not know, and it holds all of
them in memory.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import polars as pl

from cio_pipeline.sources.deletion_vectors import Vector
from cio_pipeline.sources.delta_log import CommitLog, actions_of, log_damaged
from cio_pipeline.sources.places import file_place, store_options

_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10})|\.[^.]+)?\.(?:parquet|json)$")
_Held: TypeAlias = tuple[Iterable[str], Iterable[tuple[str, Vector]]]
"""The sidecars and the vectors of a checkpoint's file."""


def vectors_at(log: CommitLog, version: int) -> dict[str, Vector]:
    """The vectors of the files of a version that have one, by the names that the log has.

    Raises VersionGone, SourceUnavailable, SourceError; Polars' own errors for a checkpoint.
    """
    start, files = _checkpoint(log, version)
    found: dict[str, Vector] = {}
    try:
        for place in files:
            found.update(_stored(place, log.storage_options))
    except ValueError as error:
        raise log_damaged(log.table, start) from error
    for entry in log.entries(start + 1, version) if start < version else ():
        _follow(entry.actions(), found)
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
    read = _of_lines if place.endswith(".json") else _of_rows
    sidecars, vectors = read(place, store_options(options))
    folder = place.rpartition("/")[0]
    for path in sidecars:
        yield from _stored(file_place(f"{folder}/_sidecars", path), options)
    yield from vectors


def _of_lines(place: str, options: dict[str, Any] | None) -> _Held:
    """What a file of JSON holds; one kind of action may be in its last line only."""
    wanted = pl.col("line").str.contains('"(?:sidecar|deletionVector)"')
    lines = pl.scan_lines(place, name="line", glob=False, storage_options=options)
    found = lines.filter(wanted).collect(engine="streaming")["line"]
    actions = [action for line in found for action in actions_of(line)]
    sidecars = [str(fields["path"]) for kind, fields in actions if kind == "sidecar"]
    adds = [fields for kind, fields in actions if kind == "add" and fields.get("deletionVector")]
    return sidecars, [(fields["path"], fields["deletionVector"]) for fields in adds]


def _of_rows(place: str, options: dict[str, Any] | None) -> _Held:
    rows = pl.scan_parquet(place, glob=False, storage_options=options)
    names = rows.collect_schema()
    sidecars = _fields(rows, "sidecar", ["path"]).to_series() if "sidecar" in names else ()
    add = names.get("add")
    if isinstance(add, pl.Struct) and "deletionVector" in {field.name for field in add.fields}:
        return sidecars, _fields(rows, "add", ["path", "deletionVector"]).iter_rows()
    return sidecars, ()


def _fields(rows: pl.LazyFrame, action: str, fields: list[str]) -> pl.DataFrame:
    """The fields of those actions that have all of them."""
    found = rows.select(pl.col(action).struct.field(fields)).drop_nulls()
    return found.collect(engine="streaming")

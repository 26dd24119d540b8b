"""Footers of export files: what a Parquet file says of itself, and how that is written (D2)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

_arrow: Any = pa
_parquet: Any = pq
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS = {"ms": timedelta(milliseconds=1), "us": timedelta(microseconds=1)}


@dataclass(frozen=True)
class Footer:
    """A footer's number of rows and key/value entries (empty if absent).

    `workspaces` is the smallest and largest workspace_id; None if the statistics do not tell.
    """

    rows: int
    export: str
    version: str
    fingerprint: str
    workspaces: tuple[int, int] | None


def entries(export: str, version: int, fingerprint: str, producer: str) -> dict[str, str]:
    """The key/value entries of every file of an export and version (D2).

    Nothing that differs between two syncs of a workspace: they share bytes.
    """
    return {
        "cio.export": export,
        "cio.version": str(version),
        "cio.fingerprint": fingerprint,
        "cio.producer": producer,
    }


def read_footer(path: Path) -> Footer:
    """What a file says of itself; raises OSError or ValueError if it is no Parquet file."""
    metadata = _metadata(path)
    known = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
    statistics = _statistics(metadata, "workspace_id")
    return Footer(
        rows=metadata.num_rows,
        export=known.get("cio.export", ""),
        version=known.get("cio.version", ""),
        fingerprint=known.get("cio.fingerprint", ""),
        workspaces=_bounds(statistics) if all(s.has_min_max for s in statistics) else None,
    )


@dataclass(frozen=True)
class Measured:
    """A file's size and digest, and the smallest and largest time of one of its columns.

    The times are None if the column has no value, or one that Python's datetime cannot hold.
    """

    bytes: int
    sha256: str
    min_time: datetime | None
    max_time: datetime | None


def measure(path: Path, column: str | None, unit: str) -> Measured:
    """Read a Parquet file once; `column` holds times in `unit` (us or ms). Raises OSError."""
    # One more read: the sink writes many files at once in Rust and offers no hook to hash them by
    # the way. What was just written is still in the page cache, and is mapped from there.
    with _arrow.memory_map(str(path)) as file:
        size, sha256 = file.size(), hashlib.sha256(file.read_buffer()).hexdigest()
        times = _time_bounds(_parquet.read_metadata(file), column, unit)
    return Measured(size, sha256, *times)


def _time_bounds(
    metadata: "_Metadata", column: str | None, unit: str
) -> tuple[datetime | None, datetime | None]:
    if column is None:
        return None, None
    bounds = _bounds([s for s in _statistics(metadata, column) if s.has_min_max])
    if bounds is None:
        return None, None
    return _time(bounds[0], unit), _time(bounds[1], unit)


class _Statistics(Protocol):
    has_min_max: bool
    min_raw: int
    max_raw: int


class _Column(Protocol):
    path_in_schema: str
    statistics: _Statistics | None


class _RowGroup(Protocol):
    num_columns: int

    def column(self, i: int) -> _Column: ...


class _Metadata(Protocol):
    """The part of pyarrow's FileMetaData that is used here; its stubs leave that unknown."""

    num_rows: int
    num_row_groups: int
    metadata: dict[bytes, bytes] | None

    def row_group(self, i: int) -> _RowGroup: ...


class _Unknown:
    """Stands for statistics that a row group does not have."""

    has_min_max = False
    min_raw = 0
    max_raw = 0


def _metadata(path: Path) -> _Metadata:
    return cast("_Metadata", _parquet.read_metadata(path))


def _statistics(metadata: _Metadata, column: str) -> list[_Statistics]:
    """A column's statistics, one per row group; empty if there is no such column."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    return [
        chunk.statistics or _Unknown()
        for group in groups
        for chunk in map(group.column, range(group.num_columns))
        if chunk.path_in_schema == column
    ]


def _bounds(statistics: list[_Statistics]) -> tuple[int, int] | None:
    # min_raw, since pyarrow's min raises on times outside of Python's range.
    return (
        (min(s.min_raw for s in statistics), max(s.max_raw for s in statistics))
        if statistics
        else None
    )


def _time(ticks: int, unit: str) -> datetime | None:
    try:
        return _EPOCH + ticks * _TICKS[unit]
    except OverflowError:
        return None

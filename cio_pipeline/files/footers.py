"""Footers of export files: what a Parquet file says of itself, and how that is written (D2).

Polars writes no ConvertedType for times, and readers that know nothing else see bare integers: so
each file gets them once it is whole. A footer's offsets point to what lies before it: it can grow.
"""

import hashlib
import mmap
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias, cast

from cio_pipeline.contracts.arrow import arrow
from cio_pipeline.files.thrift import behind_schema, number_at
from cio_pipeline.model.times import EPOCH

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
    metadata = cast("_Metadata", arrow("parquet").read_metadata(path))
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
    """A file's rows, size and digest, and the smallest and largest time of one of its columns.

    The times are None if the column has no value, or one that Python's datetime cannot hold.
    """

    rows: int
    bytes: int
    sha256: str
    min_time: datetime | None
    max_time: datetime | None


Body: TypeAlias = bytes | mmap.mmap


class Finish:
    """Gives whole files of one schema their ConvertedTypes, and measures them.

    `column` holds times in `unit` (us or ms). A file that has ConvertedTypes, or no times, stays as
    it is.
    """

    def __init__(self, column: str | None, unit: str) -> None:
        self._column, self._unit = column, unit
        self._schema = b""

    def in_place(self, path: str) -> Measured:
        """Do so with a file on disk, which is opened once. Raises OSError."""
        # What the sink just wrote is still in the page cache, and is mapped from there.
        with open(path, "r+b", buffering=0) as file, mmap.mmap(file.fileno(), 0) as body:  # noqa: PTH123 - a text
            place, rest, measured = self._ended(body)
            if body[place:] != rest:
                # It grows: nothing is left behind it.
                _write_rest(file.fileno(), place, rest)
        return measured

    def in_memory(self, body: bytes) -> tuple[Sequence[bytes | memoryview], Measured]:
        """The pieces that a file consists of then."""
        place, rest, measured = self._ended(body)
        return (memoryview(body)[:place], rest), measured

    def _ended(self, body: Body) -> tuple[int, bytes, Measured]:
        """Where the footer begins, the end that the file gets, and what it measures then."""
        place = len(body) - _TAIL - int.from_bytes(body[-_TAIL:-4], "little")
        footer = body[place:-_TAIL]
        mended = _UNNAMED.sub(lambda m: b"\x25" + _CONVERTED[m[2]] + b"\x4c" + m[1], footer)
        rest = ending(mended)
        with memoryview(body) as whole, whole[:place] as rows:
            digest = hashlib.sha256(rows)
        digest.update(rest)
        times = _time_bounds(rest, self._column, self._unit)
        return (
            place,
            rest,
            Measured(self._rows(mended), place + len(rest), digest.hexdigest(), *times),
        )

    def _rows(self, footer: bytes) -> int:
        """The number of rows, which a footer tells right behind its schema."""
        if not self._schema or not footer.startswith(self._schema):
            self._schema = footer[: behind_schema(footer)]
        return number_at(footer, len(self._schema))


def finish(path: str, column: str | None, unit: str) -> Measured:
    """The same with a single file."""
    return Finish(column, unit).in_place(path)


def _time_bounds(
    end: bytes, column: str | None, unit: str
) -> tuple[datetime | None, datetime | None]:
    """Of a file that ends so: its footer tells all of it."""
    if column is None:
        return None, None
    begins, told = _told_of(column)
    # Else there are several row groups, or a text that looks like one.
    found = told.search(end) if end.count(begins) == 1 else None
    if found is not None:
        bounds = struct.unpack("<2q", found[2] + found[1])
    else:
        metadata = cast("_Metadata", arrow("parquet").read_metadata(arrow().BufferReader(end)))
        bounds = _bounds([s for s in _statistics(metadata, column) if s.has_min_max])
    return (None, None) if bounds is None else (_time(bounds[0], unit), _time(bounds[1], unit))


@lru_cache
def _told_of(column: str) -> tuple[bytes, re.Pattern[bytes]]:
    """How a row group's part of a footer begins that tells of a column of times, and what it tells.

    In Thrift's compact protocol: the column's path (field 3), a few numbers, and its statistics,
    the largest value before the smallest. Most files have one row group, and pyarrow takes three
    times as long for its footer as all else does.
    """
    begins = b"\x19\x18" + len(column).to_bytes() + column.encode()
    number = rb"[\x80-\xff]*[\x00-\x7f]"
    numbers = rb"\x15" + number + rb"(?:[\x16\x26]" + number + rb"){4,6}"
    bounds = rb"\x1c\x36" + number + rb"\x28\x08(.{8})\x18\x08(.{8})"
    return begins, re.compile(re.escape(begins) + numbers + bounds, re.DOTALL)


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
        return EPOCH + ticks * _TICKS[unit]
    except OverflowError:
        return None


_UTC_TIME = rb"(\x8c\x11\x1c([\x1c\x2c])\x00{4})"
"""TIMESTAMP, in UTC, of milliseconds or microseconds, as Thrift's compact protocol writes it."""

_UNNAMED = re.compile(rb"\x6c" + _UTC_TIME)
"""Such a logical type (field 10 of an element of the schema) right after the name (field 4)."""

_NAMED = re.compile(rb"\x25[\x12\x14]\x4c" + _UTC_TIME)
"""The same after a ConvertedType (field 6). No text or number of a footer has either in it."""

_CONVERTED = {b"\x1c": b"\x12", b"\x2c": b"\x14"}
"""TIMESTAMP_MILLIS and TIMESTAMP_MICROS by the unit's field."""


def without_converted_types(footer: bytes) -> bytes:
    """A footer as it was before its times got their ConvertedType."""
    return _NAMED.sub(rb"l\1", footer)


_TAIL = 8
"""Bytes behind a footer: its length and `PAR1`."""


def read_footer_bytes(path: Path) -> tuple[int, bytes]:
    """Where the footer of a whole file begins, and its bytes; raises OSError."""
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size - _TAIL
        size = int.from_bytes(os.pread(file.fileno(), 4, end), "little")
        return end - size, os.pread(file.fileno(), size, end - size)


def write_footer_bytes(path: Path, place: int, footer: bytes) -> None:
    """Put a footer, and what ends the file, in place of those that begin there; raises OSError."""
    with path.open("r+b", buffering=0) as file:
        rest = ending(footer)
        _write_rest(file.fileno(), place, rest)
        os.ftruncate(file.fileno(), place + len(rest))


def _write_rest(descriptor: int, place: int, rest: bytes) -> None:
    left = memoryview(rest)
    while left:
        written = os.pwrite(descriptor, left, place)
        left, place = left[written:], place + written


def ending(footer: bytes) -> bytes:
    """A file's end: the footer, its length and `PAR1`."""
    return footer + len(footer).to_bytes(4, "little") + b"PAR1"

"""Appending to a source table batch by batch, in one commit, with a mark of how far it goes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, cast

import polars as pl
from deltalake import CommitProperties, Transaction, write_deltalake

from cio_pipeline.contracts.arrow import arrow, source_arrow_schema
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceError, SourceGone
from cio_pipeline.sources.commit_errors import already_read, not_committed
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables, OpenTable
from cio_pipeline.sources.tables import add_late_columns, commit_metadata

_READER, _CURSOR, _PLACE = "cio.reader", "cio.cursor", "cio.cursor_place"


class CursorAt(StrEnum):
    """What is at a mark's cursor."""

    NEXT = "next"
    """What was not read yet."""
    LAST = "last"
    """What was read as the last there was, and may have grown."""
    CIRCLE = "circle"
    """What was read, and is followed by what was read before."""


@dataclass(frozen=True)
class Mark:
    """How far a reader of something outside has come: it goes on at `cursor`.

    Stored with the rows that it has read, so that a crash parts neither from the other. `number`
    counts the reader's commits from 1: each can be stored once.
    """

    reader: str
    number: int
    cursor: str
    place: CursorAt = CursorAt.NEXT

    def told(self) -> dict[str, str]:
        """The mark as a commit's metadata."""
        return {_READER: self.reader, _CURSOR: self.cursor, _PLACE: self.place}


def append_rows(
    uri: str,
    table: SourceTable,
    batches: Iterable[pl.DataFrame],
    at: datetime | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
    mark: Mark | None = None,
) -> int:
    """Write batches in one commit and return the version; no commit without rows and `mark`.

    The batches have the table's columns and dtypes. A mark is stored only if its reader has come
    no further meanwhile, up to the version that the commit builds on: else SourceUnavailable.
    Raises SourceGone, SourceUnavailable, DiskFull, SourceError, and what giving the batches raises;
    nothing is written then.
    """
    opened = _table(uri, table, storage_options)
    add_late_columns(opened, at)
    found = opened.delta
    if mark is not None and (found.transaction_version(mark.reader) or 0) != mark.number - 1:
        raise already_read(table.name)
    giving = _Giving(iter(batches), source_arrow_schema(table))
    if giving.is_empty() and mark is None:
        return found.version()
    marks = {} if mark is None else mark.told()
    counted = None if mark is None else [Transaction(mark.reader, mark.number)]
    properties = CommitProperties({**commit_metadata(at), **marks}, app_transactions=counted)
    try:
        write_deltalake(found, giving.reader(), mode="append", commit_properties=properties)
    except Exception as error:
        known = giving.failure or not_committed(error, table.name, found)
        raise (known or error) from error
    return found.version()


class _Giving:
    """Batches as an Arrow stream, which makes another error of what giving them raises."""

    def __init__(self, parts: Iterator[pl.DataFrame], schema: Any) -> None:
        self._parts = parts
        self._first = next(parts, None)
        self._schema = schema
        self.failure: BaseException | None = None

    def is_empty(self) -> bool:
        return self._first is None

    def reader(self) -> Any:
        return arrow().RecordBatchReader.from_batches(self._schema, self._batches())

    def _batches(self) -> Iterator[Any]:
        first = [] if self._first is None else [self._first]
        try:
            for part in chain(first, self._parts):
                yield from cast("Any", part.to_arrow()).cast(self._schema).to_batches()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise


def last_mark(
    uri: str,
    table: SourceTable,
    reader: str,
    storage_options: Mapping[str, str] | None = None,
    cursor: str | None = None,
) -> Mark | None:
    """How far a reader has come, or None if it has stored nothing yet; `cursor` wins if given.

    Raises SourceGone, SourceUnavailable; SourceError if the log was cleaned up beyond its mark.
    """
    found = _table(uri, table, storage_options).delta
    number = found.transaction_version(reader)
    if cursor is not None:
        return Mark(reader, number or 0, cursor)
    if number is None:
        return None
    for entry in found.history():
        if entry.get(_READER) == reader:
            place = CursorAt(entry.get(_PLACE, CursorAt.NEXT))
            return Mark(reader, number, str(entry[_CURSOR]), place)
    raise SourceError(
        f"The log of table {table.name} was cleaned up, and the reader's cursor with it.",
        "Give the cursor that it goes on at with --cursor.",
    )


def _table(uri: str, table: SourceTable, storage_options: Mapping[str, str] | None) -> OpenTable:
    found = DeltaTables(uri, storage_options or {}).latest(table)
    if found is None:
        raise SourceGone(f"Table {table.name} does not exist.", NEW_SOURCE)
    return found

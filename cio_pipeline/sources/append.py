"""Appending to a source table batch by batch, in one commit, with a mark of how far it goes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, cast

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from cio_pipeline.contracts.arrow import arrow, source_arrow_schema
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceError, SourceGone
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables
from cio_pipeline.sources.errors import translate
from cio_pipeline.sources.tables import commit_metadata

_READER, _CURSOR = "cio.reader", "cio.cursor"


@dataclass(frozen=True)
class Mark:
    """How far a reader of something outside has come: it goes on at `cursor`.

    Stored with the rows that it has read, so that a crash parts neither from the other. `number`
    counts the reader's commits from 1: of two that store the same one, one fails.
    """

    reader: str
    number: int
    cursor: str


def append(
    uri: str,
    table: SourceTable,
    batches: Iterable[pl.DataFrame],
    at: datetime | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
    mark: Mark | None = None,
) -> int:
    """Write batches in one commit and return the version; without rows there is no commit.

    The batches have the table's columns and dtypes. Raises SourceGone, SourceUnavailable,
    SourceError, and what giving the batches raises; nothing is written then.
    """
    found = _table(uri, table, storage_options)
    schema = source_arrow_schema(table)
    parts = iter(batches)
    first = next(parts, None)
    if first is None:
        return found.version()
    rows = _record_batches(chain([first], parts), schema)
    reader: Any = arrow.RecordBatchReader.from_batches(schema, rows)
    marks = {} if mark is None else {_READER: mark.reader, _CURSOR: mark.cursor}
    counted = None if mark is None else [Transaction(mark.reader, mark.number)]
    properties = CommitProperties({**commit_metadata(at), **marks}, app_transactions=counted)
    try:
        write_deltalake(found, reader, mode="append", commit_properties=properties)
    except Exception as error:
        raise (translate(error, table.name, found.version()) or error) from error
    return found.version()


def _record_batches(parts: Iterable[pl.DataFrame], schema: Any) -> Iterator[Any]:
    for part in parts:
        yield from cast("Any", part.to_arrow()).cast(schema).to_batches()


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
    found = _table(uri, table, storage_options)
    number = found.transaction_version(reader)
    if cursor is not None:
        return Mark(reader, number or 0, cursor)
    if number is None:
        return None
    for entry in found.history():
        if entry.get(_READER) == reader:
            return Mark(reader, number, str(entry[_CURSOR]))
    raise SourceError(
        f"The log of table {table.name} was cleaned up, and the reader's cursor with it.",
        "Give the cursor that it goes on at with --cursor.",
    )


def _table(uri: str, table: SourceTable, storage_options: Mapping[str, str] | None) -> DeltaTable:
    found = DeltaTables(uri, storage_options or {}).latest(table.name)
    if found is None:
        raise SourceGone(f"Table {table.name} does not exist.", NEW_SOURCE)
    return found

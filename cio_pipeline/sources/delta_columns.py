"""Whether a table can be read: its features, and its columns, and how these become ours.

Features that are not known are refused by name, before the first file.

Accepted as they are or cast without loss: integers of 8 to 64 bits for INTEGER; timestamps in
milli- or microseconds for TIMESTAMP, of any zone, those without one (`timestamp_ntz`) read as UTC.
Anything else must be of the declared type. Further columns are ignored. Columns that tables made by
an earlier version do not have yet are null.
"""

import json
from typing import Any, cast

import polars as pl
from deltalake import DeltaTable, Schema

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.errors import ColumnMismatch
from cio_pipeline.sources.delta_errors import unknown_feature

_INTEGERS = (pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64())


def logical_schema(found: DeltaTable, table: SourceTable) -> pl.Schema:
    """The declared columns that a table has, with its own dtypes, whatever its files hold."""
    declared = {column.name for column in table.columns}
    fields = [one for one in found.schema().fields if one.name in declared]
    return pl.Schema(cast("pl.Schema", Schema(fields)))


def types_by_name(found: DeltaTable) -> dict[str, str]:
    """All columns that a table has, with their types as its log writes them."""
    fields = cast("list[dict[str, Any]]", json.loads(found.schema().to_json())["fields"])
    return {
        field["name"]: field["type"]
        if isinstance(field["type"], str)
        else json.dumps(field["type"], sort_keys=True)
        for field in fields
    }


def casts(table: SourceTable, found: DeltaTable) -> list[pl.Expr]:
    """The expressions that select the declared columns in the contract's dtypes.

    Raises ColumnMismatch naming every column that is missing or of another type.
    """
    there = logical_schema(found, table)
    wrong = column_problems(table, there)
    if wrong:
        raise ColumnMismatch(
            f"Table {table.name} does not have the declared columns: {'; '.join(wrong)}.",
            "Add or convert them, or load the table anew; docs/source-tables.md lists them.",
        )
    return [_cast(name, there.get(name), dtype) for name, dtype in source_schema(table).items()]


def column_problems(table: SourceTable, there: pl.Schema) -> list[str]:
    """What is wrong with the columns of a table, one phrase a column."""
    wrong: list[str] = []
    may_lack = {column.name for column in table.columns if column.may_lack}
    for name, expected in source_schema(table).items():
        if name not in there:
            if name not in may_lack:
                wrong.append(f"{name} is missing (expected {expected})")
        elif not _accepted(there[name], expected):
            wrong.append(f"{name} is {there[name]} (expected {expected})")
    return wrong


def _accepted(found: pl.DataType, expected: pl.DataType) -> bool:
    if expected == pl.Int64():
        return found in _INTEGERS
    if isinstance(expected, pl.Datetime):
        return isinstance(found, pl.Datetime) and found.time_unit in {"ms", "us"}
    return found == expected


def _cast(name: str, found: pl.DataType | None, expected: pl.DataType) -> pl.Expr:
    if found is None:
        return pl.lit(None, expected).alias(name)
    column = pl.col(name)
    if isinstance(found, pl.Datetime) and found.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(expected)


_WIDENED = frozenset({"typeWidening", "typeWidening-preview"})
_READ = {
    "columnMapping",  # by name or id it is refused below, the feature alone changes nothing
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    *_WIDENED,
}
_INTEGER_NAMES = {"byte", "short", "integer", "long"}


def require_readable(found: DeltaTable, table: SourceTable) -> None:
    """Raise SourceError, which names what a table needs of its readers and cannot be read."""
    features = found.protocol().reader_features or []
    unread = [name for name in features if name not in _READ]
    mode = found.metadata().configuration.get("delta.columnMapping.mode", "none")
    if mode != "none":
        unread.append(f"columnMapping ({mode})")
    # Only they may have widened columns: else the schema need not be read as text.
    widened = _widened(found, table) if not _WIDENED.isdisjoint(features) else []
    if widened:
        unread.append(f"typeWidening (of {', '.join(widened)})")
    if unread:
        raise unknown_feature(table.name, ", ".join(unread))


def _widened(found: DeltaTable, table: SourceTable) -> list[str]:
    """The declared columns that were of another type than an integer before they were widened."""
    declared = {column.name for column in table.columns}
    fields = json.loads(found.schema().to_json())["fields"]
    return [
        field["name"]
        for field in cast("list[dict[str, Any]]", fields)
        if field["name"] in declared
        and any(
            change.get("fromType") not in _INTEGER_NAMES
            for change in field["metadata"].get("delta.typeChanges", [])
        )
    ]

"""Source rows for tests: each names only what it is about, the rest is filled in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import polars as pl

from cio_pipeline.changesets.build import Changeset, build
from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import ColumnType, SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import AGAIN, CHANGE, COMMITTED_AT, GREW, NEW, VERSION
from cio_pipeline.model.plans import Mode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Row: TypeAlias = Mapping[str, Any]

_FILLED: dict[ColumnType, Any] = {
    ColumnType.INTEGER: 1,
    ColumnType.STRING: "x",
    ColumnType.BOOLEAN: False,
    ColumnType.TIMESTAMP: NOON,
    ColumnType.STRINGS: ["x"],
}
_CHOSEN = {"type": "event"}
_CHANGE = {CHANGE: NEW, VERSION: 1, COMMITTED_AT: NOON, GREW: None, AGAIN: False}
_CHANGE_SCHEMA = {
    CHANGE: pl.String(),
    VERSION: pl.Int64(),
    COMMITTED_AT: pl.Datetime("us", "UTC"),
    GREW: pl.Boolean(),
    AGAIN: pl.Boolean(),
}


def snapshot(table: str, *rows: Row) -> pl.LazyFrame:
    """Rows of a source table as a snapshot; required columns that are not given are filled."""
    return _frame(SOURCE_TABLES[table], rows, {}, {})


def changes(table: str, *rows: Row) -> pl.LazyFrame:
    """The same as netted changes, new in version 1 where a row does not say otherwise."""
    return _frame(SOURCE_TABLES[table], rows, _CHANGE, _CHANGE_SCHEMA)


def changeset(
    export: str,
    *rows: Row,
    mode: Mode = Mode.CHANGES,
    version: int = 5,
    unit: str = "us",
    joins: Mapping[str, Sequence[Row]] | None = None,
    workspaces: Collection[int] = (1,),
    floor: datetime | None = None,
    terms: InForce | None = None,
) -> Changeset:
    """What an export makes of source rows; joined tables that are not given do not exist."""
    declared = EXPORTS[export]
    read = snapshot if mode in {Mode.INITIAL, Mode.RETRY} else changes
    given = joins or {}
    return build(
        declared,
        version,
        unit,
        mode,
        read(declared.source, *rows),
        joins={name: snapshot(name, *rows) for name, rows in given.items()},
        workspaces=workspaces,
        floor=floor,
        terms=terms,
    )


def sent(export: str, *rows: Row, **options: Any) -> pl.DataFrame:
    """The rows of `changeset`, read by the streaming engine."""
    return _read(changeset(export, *rows, **options))[0]


def held_back(export: str, *rows: Row, **options: Any) -> list[tuple[Any, ...]]:
    """(workspace, identity, reason, count) of `changeset`'s rejected rows."""
    return _read(changeset(export, *rows, **options))[1].rows()


def _read(made: Changeset) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows and rejected ones; whatever they are, `total` tells how many both are."""
    rows, rejected = (one.collect(engine="streaming") for one in (made.rows, made.rejected))
    assert made.total() == rows.height + rejected["count"].sum()
    return rows, rejected


def filled(table: SourceTable, row: Row) -> dict[str, Any]:
    """A row with all columns: required ones that it lacks are filled, others null."""
    lacking = {
        column.name: _CHOSEN.get(column.name, _FILLED[column.type]) if column.required else None
        for column in table.columns
    }
    return {**lacking, **row}


def hours(number: float) -> timedelta:
    """A number of hours."""
    return timedelta(hours=number)


def _frame(
    table: SourceTable, rows: Sequence[Row], extra: Row, schema: Mapping[str, pl.DataType]
) -> pl.LazyFrame:
    data = [{**filled(table, row), **extra, **row} for row in rows]
    return pl.LazyFrame(data, schema={**source_schema(table), **schema})

"""Polars schemas, derived from the declarations (D2)."""

from collections.abc import Iterable
from typing import Literal, cast

import polars as pl

from cio_pipeline.contracts.declare import Column, ColumnType, Export, SourceTable

_DTYPES: dict[ColumnType, pl.DataType] = {
    ColumnType.INTEGER: pl.Int64(),
    ColumnType.STRING: pl.String(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.TIMESTAMP: pl.Datetime("us", "UTC"),
    ColumnType.STRINGS: pl.List(pl.String()),
}


def polars_schema(export: Export, version: int, timestamp_unit: str = "us") -> pl.Schema:
    """Names and dtypes of an export's columns in a version, in the contract's order."""
    return schema_of(export.columns_of(version), timestamp_unit)


def schema_of(columns: Iterable[Column], timestamp_unit: str = "us") -> pl.Schema:
    """Names and dtypes of some columns, in their order."""
    unit = cast("Literal['us', 'ms']", timestamp_unit)
    dtypes = {**_DTYPES, ColumnType.TIMESTAMP: pl.Datetime(unit, "UTC")}
    return pl.Schema({column.name: dtypes[column.type] for column in columns})


def source_schema(table: SourceTable) -> pl.Schema:
    """Names and dtypes of a source table's columns; timestamps are microseconds in UTC."""
    return pl.Schema({column.name: _DTYPES[column.type] for column in table.columns})

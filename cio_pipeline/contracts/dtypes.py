"""Schemas, derived from the declarations (D2): for Polars, and what of it files are given.

They are made once and shared: nobody changes one.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, cast

import polars as pl

from cio_pipeline.contracts.arrow import ArrowSchema
from cio_pipeline.contracts.declare import Column, ColumnType, Export, SourceTable

_DTYPES: dict[ColumnType, pl.DataType] = {
    ColumnType.INTEGER: pl.Int64(),
    ColumnType.STRING: pl.String(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.TIMESTAMP: pl.Datetime("us", "UTC"),
    ColumnType.STRINGS: pl.List(pl.String()),
}


@lru_cache
def polars_schema(export: Export, version: int, timestamp_unit: str = "us") -> pl.Schema:
    """Names and dtypes of an export's columns in a version, in the contract's order."""
    return schema_of(export.columns_of(version), timestamp_unit)


@lru_cache
def arrow_schema(export: Export, version: int, timestamp_unit: str = "us") -> ArrowSchema:
    """The schema of every file of an export and version, for `sink_parquet(arrow_schema=…)`.

    Polars' sink takes its nullability from it: REQUIRED columns are `nullable=False`, so that it
    raises on a null. Large strings and lists are the same STRING and LIST in a file as small ones.
    """
    frame = pl.DataFrame(schema=polars_schema(export, version, timestamp_unit))
    schema = cast("Any", frame.to_arrow(compat_level=pl.CompatLevel.oldest())).schema
    for place, column in enumerate(export.columns_of(version)):
        schema = schema.set(place, schema.field(place).with_nullable(not column.required))
    return schema


def schema_of(columns: Iterable[Column], timestamp_unit: str = "us") -> pl.Schema:
    """Names and dtypes of some columns, in their order."""
    unit = cast("Literal['us', 'ms']", timestamp_unit)
    dtypes = {**_DTYPES, ColumnType.TIMESTAMP: pl.Datetime(unit, "UTC")}
    return pl.Schema({column.name: dtypes[column.type] for column in columns})


@lru_cache
def source_schema(table: SourceTable) -> pl.Schema:
    """Names and dtypes of a source table's columns; timestamps are microseconds in UTC."""
    return pl.Schema({column.name: _DTYPES[column.type] for column in table.columns})

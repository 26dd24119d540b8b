"""Every export in every version, and rows that fit any contract: shared by these tests."""

from datetime import UTC, datetime

import polars as pl

from cio_pipeline.contracts.catalog import VERSIONS, exports_of
from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.dtypes import polars_schema

EVERY = [(version, export) for version in VERSIONS for export in exports_of(version)]
IDS = [f"v{version}-{export.name}" for version, export in EVERY]

_VALUES: dict[ColumnType, object] = {
    ColumnType.INTEGER: 2**63 - 1,
    ColumnType.STRING: "Zoë ✓",
    ColumnType.BOOLEAN: True,
    ColumnType.TIMESTAMP: datetime(2026, 11, 22, 5, 15, 0, 123000, tzinfo=UTC),
    ColumnType.STRINGS: ["a", "b"],
}


def value(column: Column) -> object:
    return column.choices[0] if column.choices else _VALUES[column.type]


def full(version: int, export: Export, unit: str = "us") -> pl.DataFrame:
    """A row with every value there."""
    row = {c.name: [value(c)] for c in export.columns_of(version)}
    return pl.DataFrame(row, schema=polars_schema(export, version, unit))


def bare(version: int, export: Export, unit: str = "us") -> pl.DataFrame:
    """A row with every value null that may be."""
    row = {c.name: [value(c) if c.required else None] for c in export.columns_of(version)}
    return pl.DataFrame(row, schema=polars_schema(export, version, unit))

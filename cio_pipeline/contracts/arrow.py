"""Arrow schemas, derived from the declarations (D2).

Polars' Parquet sink takes its nullability from such a schema, and takes large strings and large
lists only. In the file they are the same STRING and LIST as the small ones.
"""

from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

from cio_pipeline.contracts.declare import ColumnType, Export, SourceTable

ArrowSchema: TypeAlias = Any
"""A `pyarrow.Schema`; pyarrow ships no types."""


def arrow(part: str = "") -> Any:
    """pyarrow, or a part of it such as "parquet".

    It is imported when it is asked for: with NumPy it takes as long as Polars, and most verbs of
    the command line do not need it.
    """
    return import_module(f"pyarrow.{part}".rstrip("."))


@cache
def _large() -> dict[ColumnType, Any]:
    pa = arrow()
    return {
        ColumnType.INTEGER: pa.int64(),
        ColumnType.STRING: pa.large_string(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.STRINGS: pa.large_list(pa.field("item", pa.large_string())),
    }


@cache
def _small() -> dict[ColumnType, Any]:
    pa = arrow()
    return {
        **_large(),
        ColumnType.STRING: pa.string(),
        ColumnType.STRINGS: pa.list_(pa.string()),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }


def arrow_schema(export: Export, version: int, timestamp_unit: str = "us") -> ArrowSchema:
    """The schema of every file of an export and version, for `sink_parquet(arrow_schema=…)`.

    REQUIRED columns are `nullable=False`, so that the sink raises on a null.
    """
    pa = arrow()
    types = {**_large(), ColumnType.TIMESTAMP: pa.timestamp(timestamp_unit, tz="UTC")}
    return pa.schema(
        [
            pa.field(column.name, types[column.type], nullable=not column.required)
            for column in export.columns_of(version)
        ]
    )


def source_arrow_schema(table: SourceTable) -> ArrowSchema:
    """The schema to create a source table with: every column may be null.

    What the contract requires is checked when rows are sent. A row that lacks a value is then
    quarantined with a reason, instead of failing the commit that it came with (O1).
    """
    pa = arrow()
    return pa.schema([pa.field(c.name, _small()[c.type]) for c in table.columns])

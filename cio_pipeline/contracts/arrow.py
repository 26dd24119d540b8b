"""pyarrow, and the Arrow schemas of source tables, derived from the declarations."""

from importlib import import_module
from typing import Any, TypeAlias

from cio_pipeline.contracts.declare import ColumnType, SourceTable

ArrowSchema: TypeAlias = Any
"""A `pyarrow.Schema`; pyarrow ships no types."""


def arrow(part: str = "") -> Any:
    """pyarrow, or a part of it such as "parquet".

    It is imported when it is asked for: with NumPy it takes as long as Polars, and most verbs of
    the command line do not need it.
    """
    return import_module(f"pyarrow.{part}".rstrip("."))


def source_arrow_schema(table: SourceTable) -> ArrowSchema:
    """The schema to create a source table with: every column may be null.

    What the contract requires is checked when rows are sent. A row that lacks a value is then
    quarantined with a reason, instead of failing the commit that it came with (O1).
    """
    pa = arrow()
    types = {
        ColumnType.INTEGER: pa.int64(),
        ColumnType.STRING: pa.string(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.STRINGS: pa.list_(pa.string()),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(c.name, types[c.type]) for c in table.columns])

"""Arrow schemas, derived from the declarations (D2).

Polars' Parquet sink takes its nullability from such a schema, and takes large strings and large
lists only. In the file they are the same STRING and LIST as the small ones.
"""

from typing import Any, TypeAlias

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

from cio_pipeline.contracts.declare import ColumnType, Export, SourceTable

ArrowSchema: TypeAlias = Any
"""A `pyarrow.Schema`; pyarrow ships no types."""

arrow: Any = pa

_LARGE: dict[ColumnType, Any] = {
    ColumnType.INTEGER: arrow.int64(),
    ColumnType.STRING: arrow.large_string(),
    ColumnType.BOOLEAN: arrow.bool_(),
    ColumnType.STRINGS: arrow.large_list(arrow.field("item", arrow.large_string())),
}
_SMALL: dict[ColumnType, Any] = {
    **_LARGE,
    ColumnType.STRING: arrow.string(),
    ColumnType.STRINGS: arrow.list_(arrow.string()),
    ColumnType.TIMESTAMP: arrow.timestamp("us", tz="UTC"),
}


def arrow_schema(export: Export, version: int, timestamp_unit: str = "us") -> ArrowSchema:
    """The schema of every file of an export and version, for `sink_parquet(arrow_schema=…)`.

    REQUIRED columns are `nullable=False`, so that the sink raises on a null.
    """
    types = {**_LARGE, ColumnType.TIMESTAMP: arrow.timestamp(timestamp_unit, tz="UTC")}
    return arrow.schema(
        [
            arrow.field(column.name, types[column.type], nullable=not column.required)
            for column in export.columns_of(version)
        ]
    )


def source_arrow_schema(table: SourceTable) -> ArrowSchema:
    """The schema to create a source table with: every column may be null.

    What the contract requires is checked when rows are sent. A row that lacks a value is then
    quarantined with a reason, instead of failing the commit that it came with (O1).
    """
    return arrow.schema([arrow.field(c.name, _SMALL[c.type]) for c in table.columns])

"""Rows that fit a contract, the same ones in every process."""

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.model.changeset import SERIES

NO_REJECTS = pl.LazyFrame(
    schema={
        "workspace_id": pl.Int64,
        "identity": pl.String,
        "reason": pl.String,
        "count": pl.UInt32,
    }
)


def rows_of(
    export: Export,
    version: int,
    count: int,
    *,
    workspaces: int = 1,
    series: str = "plain",
    sparse: bool = False,
) -> pl.LazyFrame:
    """`count` rows, dealt out to `workspaces` (from 1) in turn; `sparse` leaves optional ones null.

    Times start at 2026-01-01 and go on by a second.
    """
    frame = pl.LazyFrame({"i": pl.int_range(count, eager=True)})
    required = {c.name for c in export.columns_of(version) if c.required}
    columns = {
        name: pl.lit(None, dtype) if sparse and name not in required else _value(name, dtype)
        for name, dtype in polars_schema(export, version).items()
    }
    columns["workspace_id"] = pl.col("i") % workspaces + 1
    return frame.select(**columns, **{SERIES: pl.lit(series)})


def _value(name: str, dtype: pl.DataType) -> pl.Expr:
    row = pl.col("i")
    match dtype:
        case pl.Int64():
            return row
        case pl.Boolean():
            return row % 3 == 0
        case pl.Datetime():
            return pl.from_epoch(row + 1_767_225_600).cast(dtype)
        case pl.List():
            return pl.concat_list(pl.format("topic {}", row % 7), pl.lit("é"))
        case _:
            return pl.format("{} {}", pl.lit(name), row)

"""Rows that break the contract: why, and how they are named without their values (O1)."""

from collections.abc import Sequence

import polars as pl

from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.source_tables import SOURCE_TABLES

REASON = "_reason"

NO_JSON = {
    "attribute_value": "is not valid JSON",
    "data": "is not a JSON object",
}
"""Columns that are null only where their JSON cannot be read, and how that is told."""


def identity_expr(export: Export, timestamp_unit: str = "us") -> pl.Expr:
    """A row's identity in the source table: a JSON array of text, times with six decimals.

    It stays the same when the row is mended, which a row key with a time or a number would not.
    Works on the export's rows and on those of its source table, which name it alike; with the
    unit that the rows are written in, both give the same. A null stays `null`.
    """
    types = {column.name: column.type for column in SOURCE_TABLES[export.source].columns}
    values = [_as_text(name, types[name], timestamp_unit) for name in identity_columns(export)]
    # Only the encoder of structs escapes text as JSON; `{"k":` and `}` around the array are cut.
    encoded = pl.struct(pl.concat_list(values).alias("k")).struct.json_encode()
    return encoded.str.head(-1).str.slice(5)


def identity_columns(export: Export) -> tuple[str, ...]:
    """The identity of the driving source table, within a workspace."""
    identity = SOURCE_TABLES[export.source].identity
    return tuple(name for name in identity if name != "workspace_id")


def reason_expr(columns: Sequence[Column]) -> pl.Expr:
    """The first thing that is wrong with a row, in the columns' order; null if it is fine."""
    found = [
        pl.when(wrong).then(pl.lit(text)) for column in columns for wrong, text in _checks(column)
    ]
    return pl.coalesce(*found) if found else pl.lit(None, dtype=pl.String)


def is_wrong(columns: Sequence[Column]) -> pl.Expr:
    """Whether anything is wrong with a row: true where there is a reason, else false.

    Apart from `reason_expr`, since most rows are fine and texts cost more than truth.
    """
    checks = [wrong.fill_null(value=False) for column in columns for wrong, _ in _checks(column)]
    return pl.any_horizontal(checks) if checks else pl.lit(value=False)


def rejected(frame: pl.LazyFrame, export: Export, timestamp_unit: str) -> pl.LazyFrame:
    """workspace_id, identity, reason and count of the rows that have a REASON.

    A row without a workspace counts for workspace 0.
    """
    groups = ["workspace_id", "identity", "reason"]
    return (
        frame.filter(pl.col(REASON).is_not_null())
        .select(
            pl.col("workspace_id").cast(pl.Int64).fill_null(0),
            identity_expr(export, timestamp_unit).alias("identity"),
            pl.col(REASON).alias("reason"),
        )
        .group_by(groups)
        .agg(pl.len().cast(pl.UInt32).alias("count"))
        .sort(groups)
    )


def _checks(column: Column) -> list[tuple[pl.Expr, str]]:
    """(is it wrong, how it is told) of one column."""
    checks: list[tuple[pl.Expr, str]] = []
    value = pl.col(column.name)
    if column.required:
        told = NO_JSON.get(column.name, "is required and null")
        checks.append((value.is_null(), f"{column.name} {told}"))
    if column.choices:
        allowed = ", ".join(column.choices)
        checks.append((~value.is_in(column.choices), f"{column.name} is not one of {allowed}"))
    return checks


def _as_text(name: str, kind: ColumnType, timestamp_unit: str) -> pl.Expr:
    value = pl.col(name)
    if kind is ColumnType.TIMESTAMP:
        written = pl.Datetime("ms" if timestamp_unit == "ms" else "us", "UTC")
        return value.cast(written).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return value.cast(pl.String)

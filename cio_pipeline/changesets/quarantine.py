"""Rows that break the contract: why, and how they are named without their values (O1, D23)."""

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

import polars as pl
from polars.exceptions import PanicException, PolarsError

from cio_pipeline.changesets.texts import PROBLEM
from cio_pipeline.conforming.columns import Check
from cio_pipeline.contracts.declare import ColumnType, Export
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.times import EARLIEST, LATEST, OUT_OF_RANGE

REASON = "_reason"

JSON_COLUMNS = frozenset({"attribute_value", "data"})
"""Columns that are null only where their JSON cannot be read; PROBLEM says why."""

_MISSING = "is required and null"

IDENTITY = ("workspace_id", "identity")
"""How a row of the source is named among all workspaces."""

NAMELESS = "[]"
"""The identity of a row whose own cannot be written."""


def identity_expr(export: Export, timestamp_unit: str = "us") -> pl.Expr:
    """A row's identity in the source table: a JSON array of text, times with six decimals.

    It stays the same when the row is mended, which a row key with a time or a number would not.
    Works on the export's rows and on those of its source table, which name it alike; with the
    unit that the rows are written in, both give the same. A null stays `null`; times that no
    reader can hold are their microseconds since 1970.
    """
    types = {column.name: column.type for column in SOURCE_TABLES[export.source].columns}
    values = [_as_text(name, types[name], timestamp_unit) for name in identity_columns(export)]
    # Only the encoder of structs escapes text as JSON; `{"k":` and `}` around the array are cut.
    encoded = pl.struct(pl.concat_list(values).alias("k")).struct.json_encode()
    return encoded.str.head(-1).str.slice(5)


def identities_of(rows: Collection[tuple[int, str]]) -> pl.DataFrame:
    """Rows named by (workspace, identity) as a frame of IDENTITY."""
    schema = {"workspace_id": pl.Int64, "identity": pl.String}
    return pl.DataFrame(sorted(rows), schema=schema, orient="row")


def identity_columns(export: Export) -> tuple[str, ...]:
    """The identity of the driving source table, within a workspace."""
    identity = SOURCE_TABLES[export.source].identity
    return tuple(name for name in identity if name != "workspace_id")


@lru_cache
def checks_of(export: Export, version: int) -> tuple[Check, ...]:
    """All that a row must hold, in the columns' order."""
    return tuple(_checks(export, version))


def _checks(export: Export, version: int) -> Iterator[Check]:
    columns = export.columns_of(version)
    for column in columns:
        name, value = column.name, pl.col(column.name)
        if column.required or name in export.needs:
            is_json = name in JSON_COLUMNS
            why = pl.col(PROBLEM).fill_null(_MISSING) if is_json else pl.lit(_MISSING)
            yield value.is_null(), pl.format(f"{name} {{}}", why)
        if column.choices:
            allowed = ", ".join(column.choices)
            yield ~value.is_in(column.choices), pl.lit(f"{name} is not one of {allowed}")
        if column.type is ColumnType.TIMESTAMP:
            yield ~value.is_between(EARLIEST, LATEST), pl.lit(f"{name} {OUT_OF_RANGE}")
    shown = {column.name for column in columns}
    for name in export.needs:
        if name not in shown:
            yield pl.col(name).is_null(), pl.lit(f"{name} {_MISSING}")


def reason_of(checks: Iterable[Check]) -> pl.Expr:
    """The first thing that is wrong with a row, as REASON; null if it is fine."""
    found = [pl.when(wrong).then(told) for wrong, told in checks]
    return (pl.coalesce(*found) if found else pl.lit(None, dtype=pl.String)).alias(REASON)


def is_wrong(checks: Iterable[Check]) -> pl.Expr:
    """Whether anything is wrong with a row: true where there is a reason, else false.

    Apart from `reason_of`, since most rows are fine and texts cost more than truth.
    """
    found = [wrong.fill_null(value=False) for wrong, _ in checks]
    return pl.any_horizontal(found) if found else pl.lit(value=False)


def rejected(frame: pl.LazyFrame, export: Export, timestamp_unit: str) -> pl.LazyFrame:
    """workspace_id, identity, reason and count of the rows that have a REASON.

    A row without a workspace counts for workspace 0.
    """
    groups = ["workspace_id", "identity", "reason"]
    held_back = frame.filter(pl.col(REASON).is_not_null()).select(
        pl.col("workspace_id").cast(pl.Int64).fill_null(0),
        *identity_columns(export),
        pl.col(REASON).alias("reason"),
    )
    return (
        held_back.map_batches(
            lambda rows: _named(rows, export, timestamp_unit),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema={"workspace_id": pl.Int64(), "identity": pl.String(), "reason": pl.String()},
            streamable=True,
        )
        .group_by(groups)
        .agg(pl.len().cast(pl.UInt32).alias("count"))
        .sort(groups)
    )


def _named(rows: pl.DataFrame, export: Export, timestamp_unit: str) -> pl.DataFrame:
    """The rows with their identity; one whose identity cannot be written stops no other (D23).

    Polars' panics are no `Exception`, and end the whole expression: the row is found by halves.
    """
    try:
        return _identified(rows, identity_expr(export, timestamp_unit))
    except (PolarsError, PanicException):
        if rows.height <= 1:
            return _identified(rows, pl.lit(NAMELESS))
    half = rows.height // 2
    parts = (rows.head(half), rows.tail(-half))
    return pl.concat([_named(part, export, timestamp_unit) for part in parts])


def _identified(rows: pl.DataFrame, identity: pl.Expr) -> pl.DataFrame:
    return rows.select("workspace_id", identity.alias("identity"), "reason")


def _as_text(name: str, kind: ColumnType, timestamp_unit: str) -> pl.Expr:
    value = pl.col(name)
    if kind is not ColumnType.TIMESTAMP:
        return value.cast(pl.String)
    written = pl.Datetime("ms" if timestamp_unit == "ms" else "us", "UTC")
    # Polars can write no time far beyond these years.
    there = pl.when(value.is_between(EARLIEST, LATEST)).then(value.cast(written))
    return pl.coalesce(
        there.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"), value.to_physical().cast(pl.String)
    )

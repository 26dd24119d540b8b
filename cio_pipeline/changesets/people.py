"""Rules of the exports about people: people and attributes."""

from datetime import UTC, datetime

import polars as pl

from cio_pipeline.changesets.expressions import blank, flag
from cio_pipeline.changesets.json_values import PROBLEM, json_to_text
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.changesets.split import grown, hard_deleted, split, states
from cio_pipeline.contracts.declare import CURRENT_VERSION

PERSON = ["workspace_id", "internal_customer_id"]
"""What tells people apart, in every source table that concerns them."""

_EPOCH = pl.lit(datetime(1970, 1, 1, tzinfo=UTC), dtype=pl.Datetime("us", "UTC"))


def is_gone() -> pl.Expr:
    """Whether a row of the source table people is deleted or suppressed; never null."""
    return flag("deleted") | flag("suppressed")


def people(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: one row a person; current ones in an initial export, gone ones in `chngs`."""
    rows = frame.with_columns(
        _customer_id().alias("customer_id"),
        pl.col("email").alias("email_addr"),
        *states("deleted", "suppressed"),
        _created_at(reading.version).alias("created_at"),
        grown("updated_at", reading).alias("updated_at"),
    )
    return split(rows, reading, is_gone())


def attributes(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: current values of current people in an initial export, else each change."""
    rows = frame.filter(pl.col("attribute_value").is_not_null()) if reading.initial else frame
    return rows.with_columns(*attribute_value())


def attribute_value() -> list[pl.Expr]:
    """D3: the value as text, empty once removed, null if it is no JSON; and then its PROBLEM."""
    removed = pl.col("attribute_value").is_null()
    value, problem = json_to_text("attribute_value")
    text = pl.when(removed).then(pl.lit("")).otherwise(value)
    return [text.alias("attribute_value"), problem.alias(PROBLEM)]


def _customer_id() -> pl.Expr:
    """The person's id, else the email address, else empty."""
    by_email = pl.col("email").fill_null("")
    return pl.when(blank("id")).then(by_email).otherwise(pl.col("id"))


def _created_at(version: int) -> pl.Expr:
    """v5: when the person was added, the epoch for gone ones. v4: the last change of `id`."""
    if version >= CURRENT_VERSION:
        return pl.when(is_gone() | hard_deleted()).then(_EPOCH).otherwise(pl.col("added_at"))
    of_id = pl.coalesce("id_changed_at", "updated_at")
    return pl.when(blank("id")).then(pl.col("updated_at")).otherwise(of_id)

"""Rows of an export held to the terms of a sync's data contract (O1, O2).

What breaks them is told before rows about people who are gone lose their personal data (D4): that
is not the source's fault.
"""

from collections.abc import Iterator

import polars as pl

from cio_pipeline.changesets.quarantine import reason_of
from cio_pipeline.changesets.rules import Reading, flag
from cio_pipeline.conforming.columns import VALUE, Check, InForce, checks_of_columns
from cio_pipeline.conforming.events import checks_of_events, declared_names, renames
from cio_pipeline.model.data_contract import ExportTerms

BREACH = "_breach"
"""Why a row breaks the terms; null if it does not."""

_NAME, _PROPERTIES = "name", "data"


def held_to(rows: pl.LazyFrame, reading: Reading, in_force: InForce) -> pl.LazyFrame:
    """Rows with the declared names of events, and with BREACH."""
    terms = in_force.of
    if terms.events is not None and renames(terms):
        declared = pl.col(_NAME).map_batches(
            lambda names: declared_names(terms, names),
            return_dtype=pl.String(),
            is_elementwise=True,
        )
        rows = rows.with_columns(pl.when(_is_event()).then(declared).otherwise(_NAME).alias(_NAME))
    return rows.with_columns(reason_of(_checks(terms, reading)).alias(BREACH))


def breach() -> Check:
    """What BREACH tells."""
    return pl.col(BREACH).is_not_null(), pl.col(BREACH)


def _checks(terms: ExportTerms, reading: Reading) -> Iterator[Check]:
    columns = reading.export.columns_of(reading.version)
    yield from checks_of_columns(terms, columns, _tells_of_an_end(reading))
    yield from checks_of_events(terms, _NAME, _PROPERTIES, _is_event())


def _is_event() -> pl.Expr:
    """Pages and screens have names of their own."""
    return (pl.col("type") == "event").fill_null(value=False)


def _tells_of_an_end(reading: Reading) -> pl.Expr | None:
    """Whether a row says that something is gone: such news is held back for no missing value."""
    names = {column.name for column in reading.export.columns_of(reading.version)}
    ends = [flag(name) for name in ("deleted", "suppressed") if name in names]
    if VALUE in names:
        ends.append((pl.col(VALUE) == "").fill_null(value=False))
    return pl.any_horizontal(ends) if ends else None

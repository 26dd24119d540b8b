"""Which delivered rows of an export are about a person, and what is left of them (D4)."""

from collections.abc import Collection

import polars as pl

from cio_pipeline.changesets.build import about_people, emptied
from cio_pipeline.conforming.columns import empty
from cio_pipeline.contracts.declare import Export, History
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.model.erasure import Traces

_PERSON, _DELIVERY, _RECIPIENT = "internal_customer_id", "delivery_id", "recipient"
_JOURNEYS = ("subject_name", "subject_id")

TELL = frozenset({"people", "deliveries", "subjects"})
"""Exports whose rows name people beside what the rows of others name."""


def is_about(export: Export, version: int, traces: Traces) -> pl.Expr:
    """Whether a row as it was delivered is about the person; never null.

    Not all exports name people: the others tell a delivery or a journey that was theirs.
    """
    known = {column.name for column in export.columns_of(version)}
    told = {_PERSON: traces.people, _DELIVERY: traces.deliveries}
    told |= dict.fromkeys(_JOURNEYS, traces.journeys)
    if not about_people(export):
        return pl.lit(value=False)
    found = [_among(name, values) for name, values in told.items() if name in known]
    if _RECIPIENT in known:
        found.append(_among(_RECIPIENT, traces.emails))
    return pl.any_horizontal(found)


def _among(name: str, values: Collection[str]) -> pl.Expr:
    return pl.col(name).is_in(sorted(values)).fill_null(value=False)


def erased(rows: pl.LazyFrame, export: Export, version: int, traces: Traces) -> pl.LazyFrame:
    """Delivered rows in their order, without what is personal in those about the person.

    Of people and their attributes nothing would be left: these rows go altogether, as in first
    files.
    """
    about = is_about(export, version, traces)
    if export.history is History.CURRENT:
        return rows.filter(~about)
    return emptied(rows, export, version, about)


def holds(export: Export, version: int, traces: Traces) -> pl.Expr:
    """Whether a row is about the person and says anything personal; never null."""
    about = is_about(export, version, traces)
    if export.history is History.CURRENT:
        return about
    dtypes = polars_schema(export, version)
    personal = [
        pl.col(c.name).ne_missing(empty(c, dtypes[c.name]))
        for c in export.columns_of(version)
        if c.personal
    ]
    return about & pl.any_horizontal(personal) if personal else pl.lit(value=False)


def told_by(rows: pl.LazyFrame, export: Export, version: int, traces: Traces) -> Traces:
    """What rows about the person tell of them besides: addresses, deliveries, journeys."""
    its = rows.filter(is_about(export, version, traces))
    wanted = ("customer_id", "email_addr", _DELIVERY, *_JOURNEYS)
    known = [column.name for column in export.columns_of(version) if column.name in wanted]
    found = its.select(known).unique().collect(engine="streaming") if known else pl.DataFrame()
    values = {name: frozenset(found[name].drop_nulls()) - {""} for name in found.columns}
    none: frozenset[str] = frozenset()
    emails = values.get("email_addr", none)
    return traces | Traces(
        names=emails | values.get("customer_id", none),
        emails=emails,
        deliveries=values.get(_DELIVERY, none),
        journeys=values.get("subject_name", none) | values.get("subject_id", none),
    )

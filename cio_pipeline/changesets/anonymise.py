"""D4: in an initial export, rows about people who are gone carry no personal data."""

import polars as pl

from cio_pipeline.changesets.expressions import empty_list
from cio_pipeline.changesets.people import PERSON, is_gone
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.contracts.declare import Column, ColumnType, History
from cio_pipeline.model.plans import Mode

_CURRENT = "_current"
_EMPTY_OBJECT = frozenset({"data"})
"""Required columns whose empty value is an empty JSON object."""


def concerns(reading: Reading) -> bool:
    """Whether rows have to be anonymised: all history, about people, beside people itself.

    A retry may send rows that were held back in an initial export. Where the source has no people
    at all, nobody is known to be gone.

    Exports of current values (people, attributes) leave out gone people altogether.
    """
    return (
        reading.mode in {Mode.INITIAL, Mode.RETRY}
        and reading.export.history is not History.CURRENT
        and "people" in reading.joins
        and any(column.personal for column in reading.export.columns_of(reading.version))
    )


def anonymised(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows in their order, personal columns emptied unless the person is current at the cut.

    Who is not among the people any more was deleted from the source itself, which nobody can tell
    from `people`: so current people are looked for, not gone ones.
    """
    current = (
        reading.join("people")
        .filter(~is_gone())
        .select(PERSON)
        .unique()
        .with_columns(pl.lit(value=True).alias(_CURRENT))
    )
    # People are few beside the rows about them: they are the side that is held in memory.
    joined = frame.join(
        current, on=PERSON, how="left", maintain_order="left", build_side="prefer_right"
    )
    gone = pl.col(PERSON[-1]).is_not_null() & pl.col(_CURRENT).is_null()
    personal = [c for c in reading.export.columns_of(reading.version) if c.personal]
    return joined.with_columns(_emptied(column, gone) for column in personal).drop(_CURRENT)


def _emptied(column: Column, gone: pl.Expr) -> pl.Expr:
    return pl.when(gone).then(_empty(column)).otherwise(pl.col(column.name)).alias(column.name)


def _empty(column: Column) -> pl.Expr:
    """Null, or the empty value of a required column's type."""
    if not column.required:
        return pl.lit(None)
    if column.type is ColumnType.STRINGS:
        return empty_list()
    if column.type is ColumnType.STRING:
        return pl.lit("{}" if column.name in _EMPTY_OBJECT else "")
    raise ValueError(f"{column.name} is personal and required but has no empty value")

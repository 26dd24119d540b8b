"""D4: rows about people who were gone before an export's first files carry no personal data.

In the first files that is whoever is not among the current people. Later ones are told whom.
"""

import polars as pl

from cio_pipeline.changesets.expressions import empty_list
from cio_pipeline.changesets.people import PERSON, is_gone
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.contracts.declare import Column, ColumnType, Export, History
from cio_pipeline.model.plans import Mode

_AMONG = "_among"
"""Set in rows about somebody who is looked for."""
_EMPTY_OBJECT = frozenset({"data"})
"""Required columns whose empty value is an empty JSON object."""


def about_people(export: Export) -> bool:
    """Whether the rows of an export concern people, or are people."""
    return any(column.personal for column in export.columns)


def without_anonymous(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows without those that are nothing but news of people who stay anonymous."""
    if reading.anonymous is None or reading.export.history is not History.CURRENT:
        return frame
    return frame.join(reading.anonymous, on=PERSON, how="anti", maintain_order="left")


def anonymised(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows in their order, personal columns emptied where they are about people who are gone.

    Exports of current values (people, attributes) leave out such people altogether. A retry may
    send rows that were held back in an initial export. Where the source has no people at all,
    nobody is known to be gone.
    """
    if not about_people(reading.export) or reading.export.history is History.CURRENT:
        return frame
    among = pl.col(_AMONG).is_not_null()
    if reading.mode in {Mode.INITIAL, Mode.RETRY} and "people" in reading.joins:
        # Who is not among the people any more was deleted from the source itself, which nobody can
        # tell from `people`: so current people are looked for, not gone ones.
        current = reading.join("people").filter(~is_gone()).select(PERSON).unique()
        return _emptied_where(pl.col(PERSON[-1]).is_not_null() & ~among, frame, current, reading)
    if reading.anonymous is not None:
        return _emptied_where(among, frame, reading.anonymous, reading)
    return frame


def _emptied_where(
    gone: pl.Expr, frame: pl.LazyFrame, people: pl.LazyFrame, reading: Reading
) -> pl.LazyFrame:
    """Personal columns emptied in rows that are `gone`, which may look for _AMONG the people."""
    # People are few beside the rows about them: they are the side that is held in memory.
    joined = frame.join(
        people.with_columns(pl.lit(value=True).alias(_AMONG)),
        on=PERSON,
        how="left",
        maintain_order="left",
        build_side="prefer_right",
    )
    personal = [c for c in reading.export.columns_of(reading.version) if c.personal]
    return joined.with_columns(_emptied(column, gone) for column in personal).drop(_AMONG)


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

"""D4: rows about people who were gone before an export's first files carry no personal data.

In the first files that is whoever is not among the current people. Later ones are told whom.
"""

import polars as pl

from cio_pipeline.changesets.expressions import empty_list
from cio_pipeline.changesets.people import PERSON, is_gone
from cio_pipeline.changesets.reading import Note, Reading
from cio_pipeline.contracts.declare import Column, ColumnType, Export, History
from cio_pipeline.model.plans import Mode

_AMONG = "_among"
"""Set in rows about somebody who is looked for."""
_AMONG_THEM = pl.col(_AMONG).is_not_null()
_GONE = "_gone"
_EMPTY_OBJECT = frozenset({"data"})
"""Required columns whose empty value is an empty JSON object."""


def about_people(export: Export) -> bool:
    """Whether the rows of an export concern people, or are people."""
    return any(column.personal for column in export.columns)


def without_anonymous(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows without those that hold nothing but news of people who are to stay anonymous.

    First files of people tell by themselves who is current.
    """
    export = reading.export
    if not about_people(export) or export.history is not History.CURRENT:
        return frame
    if not reading.initial:
        anonymous = reading.anonymous
        if anonymous is None:
            return frame
        return frame.join(anonymous, on=PERSON, how="anti", maintain_order="left")
    if export.source == "people":
        return frame
    known = frame.filter(pl.col(PERSON[-1]).is_not_null())
    return _marked(known, _gone(reading), _current(reading)).filter(~pl.col(_GONE)).drop(_GONE)


def anonymised(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows in their order, personal columns emptied where they are about people who are gone.

    Exports of current values (people, attributes) leave out such people altogether. A retry may
    send rows that were held back in an initial export. Where the source has no people at all,
    nobody is known to be gone.
    """
    if not about_people(reading.export) or reading.export.history is History.CURRENT:
        return frame
    if reading.mode in {Mode.INITIAL, Mode.RETRY} and "people" in reading.joins:
        return _emptied(_marked(frame, _gone(reading), _current(reading)), reading)
    if reading.anonymous is not None:
        return _emptied(_marked(frame, _AMONG_THEM, reading.anonymous), reading)
    return frame


def _current(reading: Reading) -> pl.LazyFrame:
    """The current people.

    Who is not among the people any more was deleted from the source itself, which nobody can tell
    from `people`: so current people are looked for, not gone ones.
    """
    return reading.join("people").filter(~is_gone()).select(PERSON).unique()


def _gone(reading: Reading) -> pl.Expr:
    """Whether a row is about somebody who is not among the current people, noted if asked for."""
    gone = pl.col(PERSON[-1]).is_not_null() & ~_AMONG_THEM
    return _noted(gone, reading.note) if reading.note else gone


def _marked(frame: pl.LazyFrame, gone: pl.Expr, people: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with _GONE, by an expression that may ask whether the person is among some people."""
    # People are few beside the rows about them: they are the side that is held in memory.
    marked = frame.join(
        people.with_columns(pl.lit(value=True).alias(_AMONG)),
        on=PERSON,
        how="left",
        maintain_order="left",
        build_side="prefer_right",
    )
    return marked.with_columns(gone.alias(_GONE)).drop(_AMONG)


def _emptied(marked: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Personal columns emptied in rows that are marked as _GONE."""
    personal = [c for c in reading.export.columns_of(reading.version) if c.personal]
    return marked.with_columns(
        pl.when(_GONE).then(_empty(column)).otherwise(pl.col(column.name)).alias(column.name)
        for column in personal
    ).drop(_GONE)


def _noted(gone: pl.Expr, note: Note) -> pl.Expr:
    """The same, and whoever is `gone` is told.

    In the pass that is made anyway: another one over all history would cost a tenth of it.
    """

    def see(rows: pl.Series) -> pl.Series:
        about = rows.struct.unnest()
        people = about.filter(_GONE).select(PERSON).unique()
        if not people.is_empty():
            note(people)
        return about[_GONE]

    seen = pl.struct(*PERSON, gone.alias(_GONE))
    return seen.map_batches(see, return_dtype=pl.Boolean(), is_elementwise=True)


def _empty(column: Column) -> pl.Expr:
    """Null, or the empty value of a required column's type."""
    if not column.required:
        return pl.lit(None)
    if column.type is ColumnType.STRINGS:
        return empty_list()
    if column.type is ColumnType.STRING:
        return pl.lit("{}" if column.name in _EMPTY_OBJECT else "")
    raise ValueError(f"{column.name} is personal and required but has no empty value")

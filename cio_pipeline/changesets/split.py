"""How people, objects and object types are split: new ones apart from changes (D1)."""

import polars as pl

from cio_pipeline.changesets.expressions import flag
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.model.changes import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES
from cio_pipeline.model.plans import Series
from cio_pipeline.model.times import LATEST


def hard_deleted() -> pl.Expr:
    """Whether the row itself is gone from the source; sent as a `deleted` one."""
    return pl.col(CHANGE) == DELETED


def states(*names: str) -> list[pl.Expr]:
    """`deleted`, `suppressed`: true or false as the source says; null, which no row may be (D3).

    A row that is gone from the source is deleted, whatever it said.
    """
    hard = hard_deleted()
    return [
        pl.when(hard)
        .then(hard if name == "deleted" else flag(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in names
    ]


def grown(name: str, reading: Reading) -> pl.Expr:
    """A time that is later than all that was sent before, also for rows that are gone.

    A row gone from the source cannot say when: it is its commit's time, at least one tick later
    than the row's, but for the last time that there is: then the larger sequence counts (D1).
    """
    later = pl.min_horizontal(pl.col(name) + reading.tick, pl.lit(LATEST))
    after = pl.max_horizontal(pl.col(COMMITTED_AT), later)
    return pl.when(hard_deleted()).then(after).otherwise(pl.col(name))


def split(frame: pl.LazyFrame, reading: Reading, gone: pl.Expr) -> pl.LazyFrame:
    """Set SERIES; an initial export leaves out what is `gone` (never null)."""
    if reading.initial:
        return frame.filter(~gone).with_columns(pl.lit(Series.PLAIN.value).alias(SERIES))
    new = (pl.col(CHANGE) == NEW) & ~gone
    series = pl.when(new).then(pl.lit(Series.PLAIN.value)).otherwise(pl.lit(Series.CHNGS.value))
    return frame.with_columns(series.alias(SERIES))

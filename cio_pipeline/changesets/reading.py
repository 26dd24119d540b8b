"""What rules are made of: what one may look at beside its rows, and expressions that some share.

All of them run in the streaming engine (D3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import polars as pl

from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.model.times import LATEST


@dataclass(frozen=True)
class Reading:
    """One read of one export: contract version, mode, and the joined tables at the upper cut.

    `joins` hold the rows of the served workspaces only, of those tables that exist. `tick` is the
    smallest step of the timestamps that are written. `anonymous` are people (workspace_id,
    internal_customer_id) whom later files do not name; None for nobody. `note` is told of such
    people as first files find them in their rows, some more than once, in any thread. `terms` are
    those of a data contract.
    """

    export: Export
    version: int
    mode: Mode
    tick: timedelta
    joins: Mapping[str, pl.LazyFrame] = field(hash=False)
    anonymous: pl.LazyFrame | None = None
    note: "Note | None" = field(default=None, hash=False, compare=False)
    terms: InForce | None = None

    def join(self, table: str) -> pl.LazyFrame:
        """A joined table; an empty one if it does not exist yet."""
        found = self.joins.get(table)
        return pl.LazyFrame(schema=source_schema(SOURCE_TABLES[table])) if found is None else found

    @property
    def initial(self) -> bool:
        """Whether all history is read."""
        return self.mode is Mode.INITIAL


Note: TypeAlias = Callable[[pl.DataFrame], None]
"""Takes some people: workspace_id, internal_customer_id."""

Rule: TypeAlias = Callable[[pl.LazyFrame, Reading], pl.LazyFrame]
"""Gives source rows (with CHANGE, VERSION, COMMITTED_AT) the contract's columns, keeping the rest.

A rule may drop rows that the mode does not send. It keeps the order of the rows and the source's
timestamps in microseconds; it neither casts nor checks.
"""


def as_they_are(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """The rule of exports whose source columns are the contract's."""
    return frame


LINK_URL_BYTES = 1000

_CONTINUATION = (b"\x80", b"\xbf")
"""First and last byte that can only continue a UTF-8 character."""


def flag(name: str) -> pl.Expr:
    """A Boolean column with null as false."""
    return pl.col(name).fill_null(value=False)


def blank(name: str) -> pl.Expr:
    """Whether a text is null or empty; never null."""
    return pl.col(name).fill_null("") == ""


def blank_to_null(name: str) -> pl.Expr:
    """A text, or null where it is empty."""
    return pl.when(pl.col(name) != "").then(pl.col(name))


def empty_to_null(name: str) -> pl.Expr:
    """A list, or null where it has no elements."""
    return pl.when(pl.col(name).list.len() > 0).then(pl.col(name))


def empty_list() -> pl.Expr:
    """The empty list of strings."""
    return pl.lit([], dtype=pl.List(pl.String))


def first_bytes(name: str, limit: int) -> pl.Expr:
    """The longest prefix of a text that is valid UTF-8 of at most `limit` (> 3) bytes."""
    text = pl.col(name).cast(pl.Binary)

    def starts_character(at: int) -> pl.Expr:
        first, last = (pl.lit(byte) for byte in _CONTINUATION)
        return ~text.bin.slice(at, 1).is_between(first, last)

    length = (
        pl.when(starts_character(limit))
        .then(limit)
        .when(starts_character(limit - 1))
        .then(limit - 1)
        .when(starts_character(limit - 2))
        .then(limit - 2)
        .otherwise(limit - 3)
    )
    return text.bin.slice(0, length).cast(pl.String)


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

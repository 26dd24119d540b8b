"""What an export's rules may look at beside its rows, and the shape of a rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.plans import Mode


@dataclass(frozen=True)
class Reading:
    """One read of one export: contract version, mode, and the joined tables at the upper cut.

    `joins` hold the rows of the served workspaces only, of those tables that exist. `tick` is the
    smallest step of the timestamps that are written. `anonymous` are people (workspace_id,
    internal_customer_id) whom later files do not name; None for nobody. `note` is told of such
    people as first files find them in their rows, some more than once, in any thread.
    """

    export: Export
    version: int
    mode: Mode
    tick: timedelta
    joins: Mapping[str, pl.LazyFrame] = field(hash=False)
    anonymous: pl.LazyFrame | None = None
    note: "Note | None" = field(default=None, hash=False, compare=False)

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

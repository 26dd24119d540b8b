"""Tables that can be read as they were at a cut."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.cuts import Cut, Look, TableCut


@dataclass(frozen=True)
class TableSlice:
    """Rows `[start, stop)` of a table at a cut, counted in the fixed order of its snapshot."""

    start: int
    stop: int


class Source(Protocol):
    """Tables that can be read as they were at a cut."""

    def look(self, table: SourceTable, at: datetime, after: Cut | None, now: datetime) -> Look:
        """What of a table was committed before `at`, not lower than `after`; `now` is our clock.

        A commit that names a time later than when it was first seen counts as committed then (by
        `after`, if that has seen it, else now), unless it does so on purpose. Raises SourceGone if
        there is no source, VersionGone, SourceUnavailable, SourceError.
        """
        ...

    def changes(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`, one row per identity that differs.

        Columns: the table's declared ones (dtypes of the contract), then CHANGE, VERSION,
        COMMITTED_AT, GREW. `new`/`changed` rows hold the state at `upper`, `deleted` ones that at
        `lower`. Not sorted.
        Raises ColumnMismatch, VersionGone.
        """
        ...

    def snapshot(
        self,
        table: SourceTable,
        cut: TableCut,
        part: TableSlice | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """All rows of a table at a cut, or one slice; declared columns only, in a fixed order.

        Rows of other `workspaces` may be missing, if some are given.
        Raises ColumnMismatch, VersionGone.
        """
        ...

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot as slices of at most `rows` rows, one at least, which follow one another.

        Always the same for a cut and a number of rows, and cheap: no row is read. Some rows that
        are counted may be deleted ones. Raises VersionGone, SourceUnavailable, SourceError.
        """
        ...

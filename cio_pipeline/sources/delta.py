"""Source tables in Delta Lake, in a local folder, on S3 or in Azure storage alike."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from cio_pipeline.changesets.netting import net
from cio_pipeline.changesets.parts import belongs, blocks_of, counted_columns
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.changeset import AGAIN, CHANGE, COMMITTED_AT, GREW, VERSION
from cio_pipeline.model.cuts import Cut, Look, Rest, TableCut, TableSlice, Waiting
from cio_pipeline.model.errors import SourceError
from cio_pipeline.model.slices import Part
from cio_pipeline.sources.change_feed import Changed, changed_files, changed_rows, feed, pieces
from cio_pipeline.sources.delta_log import AT_ONCE, Entry, Reached
from cio_pipeline.sources.delta_scan import row_counts, scan, sliced
from cio_pipeline.sources.delta_table import DeltaTables, OpenTable, replaced


@dataclass(frozen=True)
class DeltaSource:
    """One Delta table per source table, at `<uri>/<table name>`.

    A commit's time is `cio.committed_at` of its metadata, an ISO time, else the log's own.
    """

    uri: str
    storage_options: Mapping[str, str] | None = field(default=None, repr=False, hash=False)
    _looked: dict[str, tuple[tuple[TableCut, TableCut], tuple[OpenTable, list[Changed]]]] = field(
        default_factory=dict[str, Any], init=False, repr=False, compare=False
    )

    @cached_property
    def tables(self) -> DeltaTables:
        """Where the tables are."""
        return DeltaTables(self.uri, self.storage_options or {})

    def look(self, table: SourceTable, at: datetime, after: Cut | None, now: datetime) -> Look:
        """What of a table was committed before `at`, not lower than `after` (D6).

        That is the last version before any that was committed at or after `at`: a commit that
        arrives late with an older time belongs to the next cut, one that names a time ahead of our
        clock counts as committed when it was first seen. Only log entries later than `after` are
        read. A table that was made again is cut anew.

        Raises SourceGone, VersionGone, SourceUnavailable, SourceError.
        """
        latest = self.tables.latest(table)
        if latest is None:
            self.tables.require_root()
            return Look(None)
        latest.require_readable()
        upto = latest.cut
        known = after.rest.get(table.name) if after else None

        def seen(version: int) -> datetime:
            first = known.first_seen(TableCut(upto.table_id, version)) if known else None
            return first or now

        reached = self._reached(latest, at, after, seen)
        version = reached.version
        if version == upto.version:
            return Look(upto)
        waiting = self._waiting(latest, reached.stopped_by, now, seen)
        rest = Rest(upto, now, waiting)
        if known:
            rest = rest.following(known, -1 if version is None else version, at)
        return Look(None if version is None else TableCut(upto.table_id, version), rest)

    def columns(self, tables: Iterable[SourceTable]) -> Mapping[str, Mapping[str, str]]:
        """All columns of tables as they are now; see `ports.Source`."""
        self.tables.require_root()
        found: dict[str, Mapping[str, str]] = {}
        for table in tables:
            with suppress(SourceError):
                latest = self.tables.latest(table)
                if latest is not None:
                    found[table.name] = latest.types_by_name()
        return found

    def changes(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        part: Part | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`; see `ports.Source` and `netting.net`.

        COMMITTED_AT is the commit's own time. Raises ColumnMismatch, VersionGone, TableReplaced,
        SourceUnavailable, SourceError, some of them when the frame is collected.
        """
        if lower == upper:
            return _nothing(table)
        rows = feed(*self._changed(table, lower, upper))
        if part is not None:
            rows = rows.filter(belongs(part))
        if workspaces is not None:
            rows = rows.filter(pl.col("workspace_id").is_in(sorted(workspaces)))
        return net(rows, table.identity, table.grows)

    def changed_rows(self, table: SourceTable, lower: TableCut, upper: TableCut) -> int:
        """How many changes there are before netting, at most; see `ports.Source`."""
        found = self._changed(table, lower, upper)
        # Who asks reads the changes next: the log need not be read twice.
        self._looked[table.name] = (lower, upper), found
        return changed_rows(*found)

    def feed(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The changes in `(lower, upper]` before netting, piece by piece; see `ports.Source`."""
        yield from pieces(*self._changed(table, lower, upper), columns=columns)

    def blocks(
        self, table: SourceTable, lower: TableCut, upper: TableCut, rows: int
    ) -> pl.DataFrame:
        """How many changes each workspace has where; see `ports.Source`."""
        batches = self.feed(table, lower, upper, counted_columns(table))
        return pl.concat(blocks_of(batch, rows) for batch in batches)

    def snapshot(
        self,
        table: SourceTable,
        cut: TableCut,
        part: TableSlice | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """All rows at a cut, or a slice, in the order of the sorted file list; see `ports.Source`.

        Raises ColumnMismatch, VersionGone, TableReplaced, SourceUnavailable, SourceError. Files in
        a store that are gone show when the frame is collected: see `errors.translate`.
        """
        found = self.tables.at(table, cut)
        selected = found.columns
        return scan(found, part, workspaces).select(selected)

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot's rows in equal slices; see `ports.Source`.

        Counts come from the log, or from a file's footer where the log has none. Raises
        VersionGone, TableReplaced, SourceUnavailable, SourceError.
        """
        counts = row_counts(self.tables.at(table, cut))
        return sliced(sum(count for _, count in counts), rows)

    def rows_at_once(self, table: SourceTable, cut: TableCut) -> int | None:  # noqa: ARG002 - of any
        """None: texts of a Parquet file share its dictionaries in memory; see `ports.Source`."""
        return None

    def rows_by_workspace(self, table: SourceTable, cut: TableCut) -> pl.LazyFrame:
        """How many rows each workspace has at a cut; see `ports.Source`."""
        return self.snapshot(table, cut).group_by("workspace_id").agg(pl.len())

    def beside(
        self,
        found: Mapping[str, TableCut],
        told: Mapping[str, TableCut],  # noqa: ARG002 - the log tells times
    ) -> Mapping[str, TableCut]:
        """What was found; see `ports.Source`."""
        return found

    def _changed(
        self, table: SourceTable, lower: TableCut, upper: TableCut
    ) -> tuple[OpenTable, list[Changed]]:
        if lower.table_id != upper.table_id or lower.version > upper.version:
            raise replaced(table.name, lower, upper)
        looked = self._looked.pop(table.name, None)
        if looked is not None and looked[0] == (lower, upper):
            return looked[1]
        found = self.tables.at(table, upper)
        return found, changed_files(found, lower, lambda: self.tables.at(table, lower))

    def _reached(
        self,
        table: OpenTable,
        at: datetime,
        after: Cut | None,
        seen: Callable[[int], datetime],
    ) -> Reached:
        upto = table.cut
        before = after.tables.get(table.declared.name) if after else None
        if before is None or before.table_id != upto.table_id or before.version > upto.version:
            # Another table than before: whoever goes on from the old one is told so by `decide`.
            return table.log.last_before(at, 0, upto.version, seen)
        if (after and at <= after.at) or before.version == upto.version:
            return Reached(before.version)
        first = before.version + 1
        found = table.log.last_before(at, first, upto.version, seen)
        return found if found.version is not None else Reached(before.version, found.stopped_by)

    def _waiting(
        self,
        table: OpenTable,
        stopped_by: Entry | None,
        now: datetime,
        seen: Callable[[int], datetime],
    ) -> Waiting | None:
        """What waits, if a commit does that names a time ahead on purpose."""
        if stopped_by is None or not stopped_by.deliberate or stopped_by.time <= now:
            return None
        first, last = stopped_by.version + 1, table.cut.version
        behind = table.log.entries(first, min(last, first + AT_ONCE - 1))
        since = (one.counted(seen(one.version)) for one in behind)
        late = next((time for time in since if time <= now), None)
        return Waiting(stopped_by.version, last - stopped_by.version + 1, stopped_by.time, late)


def _nothing(table: SourceTable) -> pl.LazyFrame:
    return pl.LazyFrame(
        schema={
            **source_schema(table),
            CHANGE: pl.String(),
            VERSION: pl.Int64(),
            COMMITTED_AT: pl.Datetime("us", "UTC"),
            GREW: pl.Boolean(),
            AGAIN: pl.Boolean(),
        }
    )

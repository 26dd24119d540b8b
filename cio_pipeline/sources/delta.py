"""Source tables in Delta Lake, in a local folder, on S3 or in Azure storage alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from deltalake import DeltaTable

from cio_pipeline.changesets.netting import net
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.changes import CHANGE, COMMITTED_AT, GREW, VERSION
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import SourceGone
from cio_pipeline.pipeline.ports import TableSlice
from cio_pipeline.sources.change_feed import changed_files, feed
from cio_pipeline.sources.columns import casts
from cio_pipeline.sources.delta_files import sliced
from cio_pipeline.sources.delta_scan import row_counts, scan
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables, replaced


@dataclass(frozen=True)
class DeltaSource:
    """One Delta table per source table, at `<uri>/<table name>`; fulfils `pipeline.ports.Source`.

    A commit's time is `cio.committed_at` of its metadata, an ISO time, else the log's own.
    """

    uri: str
    storage_options: Mapping[str, str] | None = field(default=None, repr=False, hash=False)

    @property
    def tables(self) -> DeltaTables:
        """Where the tables are."""
        return DeltaTables(self.uri, self.storage_options or {})

    def cut(self, at: datetime, tables: Iterable[SourceTable], after: Cut | None) -> Cut:
        """Everything committed before `at`, not lower than `after` in any table (D6).

        A table's version is the last one before any that was committed at or after `at`: a commit
        that arrives late with an older time belongs to the next cut. Only log entries later than
        `after` are read. A table without a commit before `at` is left out; one that was made again
        is cut anew.

        Raises SourceGone, VersionGone, SourceUnavailable, SourceError.
        """
        self.tables.require_root()
        found: dict[str, TableCut] = {}
        exist = False
        for table in tables:
            latest = self.tables.latest(table.name)
            exist = exist or latest is not None
            reached = self._reached(table.name, at, latest, after)
            if reached is not None:
                found[table.name] = reached
        if not exist:
            raise SourceGone("The source has none of the tables that are read.", NEW_SOURCE)
        return Cut(at, found)

    def changes(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`; see `pipeline.ports.Source` and `netting.net`.

        COMMITTED_AT is the commit's own time. Raises ColumnMismatch, VersionGone, TableReplaced,
        SourceUnavailable, SourceError, some of them when the frame is collected.
        """
        if lower == upper:
            return _nothing(table)
        return net(self._feed(table, lower, upper), table.identity, table.grows)

    def snapshot(
        self, table: SourceTable, cut: TableCut, part: TableSlice | None = None
    ) -> pl.LazyFrame:
        """All rows at a cut, or a slice, in the order of the sorted file list; see `ports.Source`.

        Raises ColumnMismatch, VersionGone, TableReplaced, SourceUnavailable, SourceError. Files in
        a store that are gone show when the frame is collected: see `errors.translate`.
        """
        found = self.tables.at(table.name, cut)
        selected = casts(table, found)
        return scan(found, table, self.storage_options or {}, part).select(selected)

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot's rows in equal slices; see `pipeline.ports.Source`.

        Counts come from the log, or from a file's footer where the log has none. Raises
        VersionGone, TableReplaced, SourceUnavailable, SourceError.
        """
        found = self.tables.at(table.name, cut)
        counts = row_counts(found, table, self.storage_options or {})
        return sliced(sum(count for _, count in counts), rows)

    def _feed(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        if lower.table_id != upper.table_id or lower.version > upper.version:
            raise replaced(table.name, lower, upper)
        found = self.tables.at(table.name, upper)
        changed = changed_files(self.tables, found, table, lower)
        return feed(found, table, changed, self.storage_options or {})

    def _reached(
        self, table: str, at: datetime, latest: DeltaTable | None, after: Cut | None
    ) -> TableCut | None:
        if latest is None:
            return None
        now = TableCut(str(latest.metadata().id), latest.version())
        before = after.tables.get(table) if after else None
        if before is None or before.table_id != now.table_id or before.version > now.version:
            # Another table than before: whoever goes on from the old one is told so by `decide`.
            version = self.tables.log(table).last_before(at, 0, now.version)
            return None if version is None else TableCut(now.table_id, version)
        if (after and at <= after.at) or before.version == now.version:
            return before
        version = self.tables.log(table).last_before(at, before.version + 1, now.version)
        return before if version is None else TableCut(now.table_id, version)


def _nothing(table: SourceTable) -> pl.LazyFrame:
    return pl.LazyFrame(
        schema={
            **source_schema(table),
            CHANGE: pl.String(),
            VERSION: pl.Int64(),
            COMMITTED_AT: pl.Datetime("us", "UTC"),
            GREW: pl.Boolean(),
        }
    )

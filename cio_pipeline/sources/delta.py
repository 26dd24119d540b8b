"""Source tables in Delta Lake, in a local folder, on S3 or in Azure storage alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from deltalake import DeltaTable

from cio_pipeline.changesets.netting import CHANGE_TYPE, INSERT, net, violations
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.changes import CHANGE, COMMITTED_AT, VERSION
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import SourceGone
from cio_pipeline.sources.change_feed import feed
from cio_pipeline.sources.columns import casts
from cio_pipeline.sources.delta_scan import scan
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables, replaced


@dataclass(frozen=True)
class DeltaSource:
    """One Delta table per source table, at `<uri>/<table name>`; fulfils `pipeline.ports.Source`.

    A commit's time is `cio.committed_at` of its metadata, an ISO time, else the log's own.
    """

    uri: str
    storage_options: Mapping[str, str] | None = field(default=None, repr=False, hash=False)

    @property
    def replayable(self) -> bool:
        """Whether an old cut can be read again: yes, until its files are vacuumed."""
        return True

    @property
    def tables(self) -> DeltaTables:
        """Where the tables are."""
        return DeltaTables(self.uri, self.storage_options or {})

    def cut(self, at: datetime, tables: Iterable[SourceTable], after: Cut | None) -> Cut:
        """Everything committed before `at`, not lower than `after` in any table (D6).

        A table's version is the last one before any that was committed at or after `at`: a commit
        that arrives late with an older time belongs to the next cut. Only log entries later than
        `after` are read. A table without a commit before `at` is left out.

        Raises TableReplaced, SourceGone, VersionGone, SourceUnavailable, SourceError.
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
        changed = self._feed(table, lower, upper)
        kinds = set(changed.select(pl.col(CHANGE_TYPE).unique()).collect()[CHANGE_TYPE])
        if not kinds:
            return _nothing(table)
        return net(
            changed,
            table.identity,
            append_only=table.kind is TableKind.APPEND_ONLY,
            only_inserts=kinds == {INSERT},
        )

    def violations(self, table: SourceTable, lower: TableCut, upper: TableCut) -> Mapping[str, int]:
        """How many rows of an append-only table were `changed` or `deleted` in `(lower, upper]`."""
        if lower == upper:
            return {}
        counts = violations(self._feed(table, lower, upper), table.identity).collect()
        return {name: count for name, count in counts.row(0, named=True).items() if count}

    def snapshot(self, table: SourceTable, cut: TableCut) -> pl.LazyFrame:
        """All rows at a cut in the order of the sorted file list; see `pipeline.ports.Source`.

        Raises ColumnMismatch, VersionGone, TableReplaced, SourceUnavailable, SourceError. Files in
        a store that are gone show when the frame is collected: see `errors.translate`.
        """
        found = self.tables.at(table.name, cut)
        selected = casts(table, found)
        return scan(found, table.name, self.storage_options or {}).select(selected)

    def _feed(self, table: SourceTable, lower: TableCut, upper: TableCut) -> pl.LazyFrame:
        if lower.table_id != upper.table_id or lower.version > upper.version:
            raise replaced(table.name, lower, upper)
        found = self.tables.at(table.name, upper)
        log = self.tables.log(table.name)
        times = dict(log.times(lower.version + 1, upper.version))
        return feed(found, table, casts(table, found), times)

    def _reached(
        self, table: str, at: datetime, latest: DeltaTable | None, after: Cut | None
    ) -> TableCut | None:
        before = after.tables.get(table) if after else None
        if latest is None:
            if before is None:
                return None
            raise SourceGone(
                f"Table {table} is gone.", "Put it back, or recreate the syncs that read it."
            )
        now = TableCut(str(latest.metadata().id), latest.version())
        if before and (before.table_id != now.table_id or before.version > now.version):
            raise replaced(table, before, now)
        if before and after and (at <= after.at or before.version == now.version):
            return before
        first = before.version + 1 if before else 0
        version = self.tables.log(table).last_before(at, first, now.version)
        return before if version is None else TableCut(now.table_id, version)


def _nothing(table: SourceTable) -> pl.LazyFrame:
    return pl.LazyFrame(
        schema={
            **source_schema(table),
            CHANGE: pl.String(),
            VERSION: pl.Int64(),
            COMMITTED_AT: pl.Datetime("us", "UTC"),
        }
    )

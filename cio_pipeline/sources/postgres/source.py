"""The source: PostgreSQL behind the protocol of `ports.Source`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import polars as pl
from psycopg.errors import LockNotAvailable

from cio_pipeline.changesets.netting import FEED, net
from cio_pipeline.changesets.parts import belongs, blocks_of, counted_columns
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Cut, Look, TableCut, TableSlice
from cio_pipeline.model.errors import SourceError
from cio_pipeline.model.slices import Part
from cio_pipeline.sources.postgres.catalog import Database, Relation, database, relations
from cio_pipeline.sources.postgres.connect import Asked, Server
from cio_pipeline.sources.postgres.errors import locked, named
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.positions import (
    Position,
    at_one_moment,
    filenodes,
    position_of,
)
from cio_pipeline.sources.postgres.rows import frames, lazily, rows_at
from cio_pipeline.sources.postgres.statements import (
    bytes_of,
    changed_rows,
    counted_rows,
    is_changed,
    number_of_changes,
)
from cio_pipeline.sources.postgres.whole import (
    lost,
    problems_of,
    pruned,
    replaced,
    require_guarded,
    require_in_place,
)

_COUNTED: Mapping[str, pl.DataType] = {"workspace_id": pl.Int64(), "len": pl.Int64()}


@dataclass(frozen=True)
class PostgresSource:
    """The tables of a database, as `names` tells where they are; see the package.

    A window's cut is a snapshot, taken when it is decided: after an outage, one window has all that
    was committed meanwhile, and the others have nothing. In memory a row takes two to three times
    its room in a table; `bytes_at_once` is the room of what is held at once.
    """

    server: Server
    names: Names = field(default_factory=Names)
    tables: Mapping[str, SourceTable] = field(default_factory=lambda: SOURCE_TABLES, hash=False)
    bytes_at_once: int = 96 * 1024**2
    _last: dict[str, Any] = field(
        default_factory=dict[str, Any], init=False, repr=False, compare=False
    )

    def look(self, table: SourceTable, at: datetime, after: Cut | None, now: datetime) -> Look:
        """What of a table is committed now; see `ports.Source`.

        The tables of a cut are looked at together, so that they are of one moment. A table without
        a change since `after` stays where it was. Raises SourceGone, SourceUnavailable,
        SourceError.
        """
        key = at, now, after
        if self._last.get("key") != key or table.name not in self._last["looks"]:
            self._last.update(key=key, looks=self._looks(after))
        found: Look | SourceError = self._last["looks"].pop(table.name)
        if isinstance(found, SourceError):
            raise found
        return found

    def columns(self, tables: Iterable[SourceTable]) -> Mapping[str, Mapping[str, str]]:
        """All columns of relations as they are now; see `ports.Source`."""
        declared = [self.tables[table.name] for table in tables if table.name in self.tables]
        with named("cio.tables"), self.server.asked() as connection:
            there = relations(connection, self.names, declared, database(connection), {})
        found: dict[str, Mapping[str, str]] = {}
        for name, relation in there.items():
            ours = {
                self.names.column(relation.table, c.name): c.name for c in relation.table.columns
            }
            found[name] = {ours.get(one, one): kind for one, kind in relation.columns.items()}
        return found

    def _looks(self, after: Cut | None) -> dict[str, Look | SourceError]:
        declared = list(self.tables.values())
        with named("cio.tables"), self.server.asked() as connection:
            where = database(connection)
            failed: dict[str, SourceError] = {}
            found = relations(connection, self.names, declared, where, failed)
            return {
                one.name: failed.get(one.name)
                or self._looked(connection, where, found.get(one.name), after)
                for one in declared
            }

    def _looked(
        self,
        connection: Asked,
        where: Database,
        relation: Relation | None,
        after: Cut | None,
    ) -> Look | SourceError:
        if relation is None:
            return Look(None)
        table = relation.table
        wrong = problems_of(relation, where)
        if wrong:
            return _unfit(table, wrong)
        position = Position(where.snapshot, relation.density, relation.leaves)
        reached = TableCut(relation.table_id, where.snapshot.ended, str(position))
        before = after.tables.get(table.name) if after else None
        if before is None or before.table_id != reached.table_id:
            return Look(reached)
        try:
            with named(table.name):
                lower = position_of(table.name, before)
                require_guarded(relation, lower)
                query = is_changed(relation, lower, position)
                try:
                    changed = before.version > reached.version or _value(connection, query)
                except LockNotAvailable:
                    return locked(table.name)
        except SourceError as error:
            return error
        return Look(reached if changed else before)

    def changes(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        part: Part | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`; see `ports.Source` and `netting.net`."""
        rows = lazily(
            {**source_schema(table), **FEED},
            lambda columns: self.feed(table, lower, upper, columns),
        )
        if part is not None:
            rows = rows.filter(belongs(part))
        if workspaces is not None:
            rows = rows.filter(pl.col("workspace_id").is_in(sorted(workspaces)))
        return net(rows, table.identity, table.grows)

    def changed_rows(self, table: SourceTable, lower: TableCut, upper: TableCut) -> int:
        """How many changes there are before netting, at most; see `ports.Source`."""
        with named(table.name), self.server.asked() as connection:
            relation = self._opened(connection, table, upper, lower)
            query = number_of_changes(relation, *_positions(table, lower, upper))
            return cast("int", _value(connection, query))

    def blocks(
        self, table: SourceTable, lower: TableCut, upper: TableCut, rows: int
    ) -> pl.DataFrame:
        """How many changes each workspace has where; see `ports.Source`."""
        batches = self.feed(table, lower, upper, counted_columns(table))
        return pl.concat(blocks_of(batch, rows) for batch in batches)

    def feed(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The changes in `(lower, upper]` before netting, piece by piece; see `ports.Source`."""
        schema = {**source_schema(table), **FEED}
        chosen = {name: schema[name] for name in columns or schema}
        relation = self._found(table, upper, lower)
        statement = changed_rows(relation, *_positions(table, lower, upper), list(chosen))
        yield from frames(self.server, relation, statement.as_string(), chosen, lower.version)

    def snapshot(
        self,
        table: SourceTable,
        cut: TableCut,
        part: TableSlice | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """All rows at a cut, or a slice, in the order in which they lay then; see `ports.Source`.

        Raises ColumnMismatch, VersionGone, TableReplaced, SourceUnavailable, SourceError, some of
        them when the frame is collected.
        """
        relation = self._found(table, cut)
        at = position_of(table.name, cut)
        if part is not None:
            require_in_place(table.name, at.files, filenodes(relation.leaves))
        schema = source_schema(table)

        def pieces(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
            asked = {name: schema[name] for name in columns}
            return rows_at(self.server, relation, at, part, workspaces=workspaces, schema=asked)

        return lazily(schema, pieces)

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot in slices of the blocks that the table then had; see `ports.Source`.

        How many rows a block holds is what the database thought then.
        """
        return position_of(table.name, cut).slices(rows)

    def rows_at_once(self, table: SourceTable, cut: TableCut) -> int | None:
        """How many rows lie in `bytes_at_once` of a table, TOAST included; see `ports.Source`.

        None for a view: it is read in one piece.
        """
        position = position_of(table.name, cut)
        with named(table.name), self.server.asked() as connection:
            stored: int = _value(connection, bytes_of(position.files))
        rows = position.blocks * position.density
        return max(1, rows * self.bytes_at_once // stored) if stored else None

    def rows_by_workspace(self, table: SourceTable, cut: TableCut) -> pl.LazyFrame:
        """How many rows each workspace has, which the server counts; see `ports.Source`."""
        relation = self._found(table, cut)
        statement = counted_rows(relation, position_of(table.name, cut)).as_string()
        return lazily(
            _COUNTED,
            lambda _: frames(self.server, relation, statement, _COUNTED, cut.version),
        )

    def beside(
        self, found: Mapping[str, TableCut], told: Mapping[str, TableCut]
    ) -> Mapping[str, TableCut]:
        """What all tables held at the moment of the newest that is told; see `ports.Source`."""
        return at_one_moment(found, told)

    def _found(self, table: SourceTable, cut: TableCut, lower: TableCut | None = None) -> Relation:
        with named(table.name), self.server.asked() as connection:
            return self._opened(connection, table, cut, lower)

    def _opened(
        self,
        connection: Asked,
        table: SourceTable,
        cut: TableCut,
        lower: TableCut | None = None,
    ) -> Relation:
        """A table that still knows some cuts. Raises TableReplaced, VersionGone, SourceError."""
        where = database(connection)
        found = relations(connection, self.names, [table], where)
        relation = found.get(table.name)
        if relation is None:
            raise lost(table.name)
        wrong = problems_of(relation, where)
        if wrong:
            raise _unfit(table, wrong)
        now = TableCut(relation.table_id, where.snapshot.ended)
        for one in (cut, lower):
            if one is not None and (one.table_id != now.table_id or one.version > now.version):
                raise replaced(table.name, one, now)
            if one is not None:
                require_guarded(relation, position_of(table.name, one))
        oldest = lower or cut
        kept = relation.installation
        if kept is not None and oldest.version < kept.kept_since.ended:
            raise pruned(table.name)
        return relation


def _unfit(table: SourceTable, wrong: Iterable[str]) -> SourceError:
    return SourceError(
        f"Table {table.name} cannot be read: {'; '.join(wrong)}.",
        "`cio-pipeline source status` shows all tables, `source install` mends them.",
    )


def _positions(table: SourceTable, lower: TableCut, upper: TableCut) -> tuple[Position, Position]:
    return position_of(table.name, lower), position_of(table.name, upper)


def _value(connection: Asked, query: Any) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None

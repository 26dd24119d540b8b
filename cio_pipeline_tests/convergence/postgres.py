"""The same histories on tables in PostgreSQL: what is written, and what a window's end means there.

A cut is made when its window is run, so it has all that was committed until then. Transactions that
stay open while windows are run come on top.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import polars as pl
import psycopg

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.convergence.commits import CREATED, Commits
from cio_pipeline_tests.convergence.meaning import IDENTITY, Row
from cio_pipeline_tests.convergence.merging import key_of
from cio_pipeline_tests.convergence.rows import make
from cio_pipeline_tests.convergence.timeline import Commit, Key, Table, Timeline
from cio_pipeline_tests.sources.postgres.databases import Made


class PostgresTimeline(Timeline):
    """Windows' ends that have what was committed when they were decided."""

    def decide(self, end: datetime) -> None:
        if end in self.cuts:
            return
        later = min((at for at in self.cuts if at > end), default=None)
        counts = {name: len(commits) for name, commits in self.tables.items()}
        self.cuts[end] = {
            name: min(count, self.count(name, later)) if later else count
            for name, count in counts.items()
        }


@dataclass(frozen=True)
class Writes:
    """What `convergence.writes` does to Delta tables, done to those of a database."""

    made: Made
    timeline: Timeline

    def append(self, _: Any, table: str, rows: Collection[Row], at: datetime) -> None:
        self.merge(_, table, rows, at)

    def merge(self, _: Any, table: str, rows: Collection[Row], at: datetime) -> None:
        self.made.put(SOURCE_TABLES[table], frame(table, rows), at=self.when(table, at))

    def when(self, table: str, at: datetime) -> datetime:
        """The database's own clock dates what ended: never earlier than a commit before."""
        return max(at, self.timeline.tables[table][-1].at)

    def overwrite(self, _: Any, table: str, rows: Collection[Row], at: datetime) -> None:
        removed = f"DELETE FROM {table}"  # noqa: S608 - our own names
        self.made.put(SOURCE_TABLES[table], frame(table, rows), removed, at=self.when(table, at))

    def delete(self, _: Any, table: str, keys: Collection[Key], at: datetime) -> None:
        names = ("workspace_id", *IDENTITY[table])
        same = " AND ".join(f'"{name}" = %s' for name in names)
        with self.made.connect() as connection, connection.transaction():
            for key in keys:
                connection.execute(f"DELETE FROM {table} WHERE {same}".encode(), list(key))  # noqa: S608
            self.made.date_earlier(connection, table, self.when(table, at))

    def compact(self, _: Any, at: datetime) -> bool:  # noqa: ARG002 - as that of Delta
        """Rows lie elsewhere afterwards, and nothing was committed."""
        with self.made.connect() as connection:
            connection.execute("SET lock_timeout = '10ms'")
            for (table,) in self.made.ask("SELECT name FROM cio.tables"):
                try:
                    connection.execute(f"VACUUM (FULL, FREEZE) {table}".encode())
                except psycopg.errors.LockNotAvailable:
                    connection.execute("VACUUM (FREEZE)")
        return False


def frame(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    return snapshot(table, *rows).collect()


@dataclass
class PostgresCommits(Commits):
    """Commits to the tables of a database."""

    made: Made | None = None
    waiting: list[tuple[psycopg.Connection[Any], str, Table]] = field(
        default_factory=list[tuple[psycopg.Connection[Any], str, Table]]
    )
    """Transactions that are open: what they will have written."""

    def __post_init__(self) -> None:
        assert self.made is not None
        self.writes = Writes(self.made, self.timeline)

    def create(self, table: str) -> None:
        assert self.made is not None
        if table not in self.timeline.tables:
            self.made.create(SOURCE_TABLES[table])
            self.made.install()
            self.opened[table] = table
            self.timeline.tables[table] = [Commit(CREATED, {})]

    def _committed(self, table: str, rows: Table, at: datetime) -> None:
        super()._committed(table, rows, self.writes.when(table, at))

    def undo(self, table: str) -> None:
        """As in Delta, only what no window has: readers keep the newest row that they were sent."""
        commits = self.timeline.tables[table]
        decided = max((cut.get(table, 0) for cut in self.timeline.cuts.values()), default=0)
        if len(commits) > max(decided, 1):
            before, at = commits[-2].rows, commits[-1].at
            self.writes.overwrite(None, table, list(before.values()), at)
            self._committed(table, before, at)

    def begin(self, table: str, seed: int, at: datetime) -> None:
        """New rows of a transaction that stays open: none that others could wait for."""
        assert self.made is not None
        chance = Random(seed)  # noqa: S311 - no secret
        made = [make(table, chance, self.clock, at) for _ in range(seed % 3 + 1)]
        rows = {key_of(table, row): row for row in made}
        connection = self.made.connect(autocommit=False)
        self.made.write(connection, SOURCE_TABLES[table], frame(table, rows.values()))
        self.waiting.append((connection, table, rows))

    def end(self, which: int, how: str, at: datetime) -> None:
        """One of them is committed, in two phases or one, or rolled back; in any order."""
        if not self.waiting:
            return
        connection, table, rows = self.waiting.pop(which % len(self.waiting))
        if how == "undo":
            connection.rollback()
        elif how == "prepare":
            name = f"convergence-{id(connection)}"
            connection.execute(f"PREPARE TRANSACTION '{name}'".encode())
            connection.commit()
            connection.autocommit = True
            connection.execute(f"COMMIT PREPARED '{name}'".encode())
        else:
            connection.commit()
        connection.close()
        if how != "undo":
            self._committed(table, self.rows(table) | rows, at)

    def close(self) -> None:
        while self.waiting:
            self.end(0, "undo", CREATED)

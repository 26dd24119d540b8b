"""What happens to source tables: each commit is made for real and told to the timeline."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from deltalake import DeltaTable

from cio_pipeline_tests.convergence import writes
from cio_pipeline_tests.convergence.meaning import APPENDED
from cio_pipeline_tests.convergence.merging import key_of
from cio_pipeline_tests.convergence.rows import Clock, make, mended
from cio_pipeline_tests.convergence.timeline import Commit, Table, Timeline
from cio_pipeline_tests.world import NOON, empty_source

CREATED = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Commits:
    """See the module. `uri` is the folder of the tables; rows are chosen by a `seed`."""

    uri: str
    timeline: Timeline
    clock: Clock = field(default_factory=lambda: Clock(NOON))
    opened: dict[str, Any] = field(default_factory=dict[str, Any])
    """Each table at its last version: opening one again reads all of its log."""
    writes: Any = writes
    """How tables are written to."""

    def create(self, table: str) -> None:
        """An empty table, copied since making one is slow."""
        if table not in self.timeline.tables:
            shutil.copytree(empty_source() / table, Path(self.uri) / table)
            self.opened[table] = DeltaTable(f"{self.uri}/{table}")
            self.timeline.tables[table] = [Commit(CREATED, {})]

    def rows(self, table: str) -> Table:
        """What a table holds now."""
        return self.timeline.tables[table][-1].rows

    def _committed(self, table: str, rows: Table, at: datetime) -> None:
        self.clock.last = max(self.clock.last, at)
        self.timeline.tables[table].append(Commit(at, rows))

    def put(self, table: str, seed: int, at: datetime, number: int = 1) -> None:
        """New rows, or others in place of those of the same identity."""
        chance = Random(seed)  # noqa: S311 - no secret
        made = [make(table, chance, self.clock, at) for _ in range(number)]
        rows = {key_of(table, row): row for row in made}
        write = self.writes.merge if rows.keys() & self.rows(table).keys() else self.writes.append
        write(self.opened[table], table, list(rows.values()), at)
        self._committed(table, self.rows(table) | rows, at)

    def write(self, how: str, table: str, seed: int, at: datetime) -> None:
        """One commit; one that the table's kind does not allow is none."""
        match how:
            case "put":
                self.put(table, seed, at, seed % 4 + 1)
            case "delete":
                self.delete(table, seed, at)
            case "overwrite":
                self.overwrite(table, seed, at)
            case "touch":
                self.touch(table, at)
            case "compact":
                self.compact(table, at)
            case "undo":
                self.undo(table)
            case _:
                self.mend(table, at)

    def touch(self, table: str, at: datetime) -> None:
        """An edit that changes nothing."""
        if self.rows(table):
            self.writes.merge(self.opened[table], table, list(self.rows(table).values()), at)
            self._committed(table, self.rows(table), at)

    def mend(self, table: str, at: datetime) -> None:
        """Rows that break the contract are put right in place."""
        rows = {key: mended(table, row) for key, row in self.rows(table).items()}
        if rows != self.rows(table):
            self.writes.merge(self.opened[table], table, list(rows.values()), at)
            self._committed(table, rows, at)

    def delete(self, table: str, seed: int, at: datetime) -> None:
        """A row is removed for good, from a table whose rows may come again."""
        keys = sorted(self.rows(table))
        if keys and table not in APPENDED:
            key = keys[seed % len(keys)]
            self.writes.delete(self.opened[table], table, [key], at)
            self._committed(table, {k: r for k, r in self.rows(table).items() if k != key}, at)

    def overwrite(self, table: str, seed: int, at: datetime) -> None:
        """The whole table again: most rows as they were, one removed, one new or other."""
        chance = Random(seed)  # noqa: S311 - no secret
        rows = dict(self.rows(table))
        if rows and chance.random() < 0.3:
            rows.pop(chance.choice(sorted(rows, key=str)))
        if chance.random() < 0.7:
            made = make(table, chance, self.clock, at)
            rows[key_of(table, made)] = made
        self.writes.overwrite(self.opened[table], table, list(rows.values()), at)
        self._committed(table, rows, at)

    def compact(self, table: str, at: datetime) -> None:
        if self.writes.compact(self.opened[table], at):
            self._committed(table, self.rows(table), at)

    def undo(self, table: str) -> None:
        """The last commit is taken back, if no window has it yet or can have it without this."""
        commits = self.timeline.tables[table]
        at = commits[-1].at
        decided = max((cut.get(table, 0) for cut in self.timeline.cuts.values()), default=0)
        if len(commits) > max(decided, 1):
            self.writes.undo(self.opened[table], at)
            self._committed(table, commits[-2].rows, at)

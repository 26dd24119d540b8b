"""A history of the whole product and of the reference model, side by side.

Each method is one thing that can happen: it is done to real Delta tables, a real ledger and real
folders, and told to the model; then the two are compared.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cio_pipeline.model.errors import DestinationUnavailable
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.apply import switch_exports
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.convergence import writes
from cio_pipeline_tests.convergence.buckets import Bucket
from cio_pipeline_tests.convergence.meaning import APPENDED, NEEDS
from cio_pipeline_tests.convergence.merging import differences, key_of
from cio_pipeline_tests.convergence.reference import (
    Commit,
    Feed,
    Frozen,
    Key,
    Reader,
    Run,
    Switch,
    Table,
    bare,
    exports_of,
)
from cio_pipeline_tests.convergence.rows import Clock, make, mended
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.world import NOON, QUARTER, World, empty_source, window

TOGETHER = ({"campaigns", "actions"}, {"objects", "object_types"})
CREATED = datetime(1970, 1, 1, tzinfo=UTC)
REFUSED = "people was off for more than 7 days"


class History:
    """See the module. `exports` are those that this history is about, `root` a temporary folder."""

    def __init__(self, root: Path, exports: Collection[str]) -> None:
        self.exports = sorted({one for export in exports for one in _together(export)})
        self.feed = Feed()
        self.clock = Clock(NOON)
        self.buckets: dict[str, Bucket] = {}
        self.unlisted: set[str] = set()
        """Syncs that a crash may have left without a manifest of what was committed."""
        self.runs = 0
        (root / "source").mkdir()
        self.world = World(root)

    # --- time -----------------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """The number of the window that is open now."""
        return (self.world.now - NOON) // QUARTER

    def wait(self, length: timedelta) -> None:
        self.world.now += length

    def close_window(self) -> None:
        self.world.now = window(self.tick).end + timedelta(seconds=1)

    # --- the source -----------------------------------------------------------------------

    @property
    def tables(self) -> list[str]:
        """The tables that these exports read."""
        read = {table for export in self.exports for table in NEEDS.get(export, ())}
        return sorted({*self.exports, *read})

    def create(self, table: str) -> None:
        """An empty table, copied since making one is slow."""
        if table not in self.feed.tables:
            shutil.copytree(empty_source() / table, Path(self.world.source_uri) / table)
            self.feed.tables[table] = [Commit(CREATED, {})]

    def rows(self, table: str) -> Table:
        """What a table holds now."""
        return self.feed.tables[table][-1].rows

    def _committed(self, table: str, rows: Table, at: datetime) -> None:
        self.clock.last = max(self.clock.last, at)
        self.feed.tables[table].append(Commit(at, rows))

    def put(self, table: str, seed: int, at: datetime, number: int = 1) -> None:
        """New rows, or others in place of those of the same identity."""
        chance = Random(seed)  # noqa: S311 - no secret
        made = [make(table, chance, self.clock, at) for _ in range(number)]
        rows = {key_of(table, row): row for row in made}
        write = writes.merge if rows.keys() & self.rows(table).keys() else writes.append
        write(self.world.source_uri, table, list(rows.values()), at)
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
            writes.merge(self.world.source_uri, table, list(self.rows(table).values()), at)
            self._committed(table, self.rows(table), at)

    def mend(self, table: str, at: datetime) -> None:
        """Rows that break the contract are put right in place."""
        rows = {key: mended(table, row) for key, row in self.rows(table).items()}
        if rows != self.rows(table):
            writes.merge(self.world.source_uri, table, list(rows.values()), at)
            self._committed(table, rows, at)

    def delete(self, table: str, seed: int, at: datetime) -> None:
        """A row is removed for good, from a table whose rows may come again."""
        keys = sorted(self.rows(table))
        if keys and table not in APPENDED:
            key = keys[seed % len(keys)]
            writes.delete(self.world.source_uri, table, [key], at)
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
        writes.overwrite(self.world.source_uri, table, list(rows.values()), at)
        self._committed(table, rows, at)

    def compact(self, table: str, at: datetime) -> None:
        if writes.compact(self.world.source_uri, table, at):
            self._committed(table, self.rows(table), at)

    def undo(self, table: str) -> None:
        """The last commit is taken back, if no window has it yet or can have it without this."""
        commits = self.feed.tables[table]
        at = commits[-1].at
        decided = max((cut.get(table, 0) for cut in self.feed.cuts.values()), default=0)
        if len(commits) > max(decided, 1):
            writes.undo(self.world.source_uri, table, at)
            self._committed(table, commits[-2].rows, at)

    # --- syncs ----------------------------------------------------------------------------

    def register(self, workspace: int, version: int, unit: str, minutes: int) -> None:
        sync_id = f"s{len(self.buckets)}"
        version = version if exports_of(version) & set(self.exports) else 5
        exports = [name for name in self.exports if name in exports_of(version)]
        self.world.sync(
            sync_id,
            workspace,
            at=self.world.now,
            version=version,
            exports=tuple(exports),
            timestamp_unit=unit,
            cadence="15m" if minutes == 15 else "1h",
        )
        switches = {name: Switch() for name in exports}
        self.feed.register(
            Reader(sync_id, workspace, version, unit, minutes, self.world.now, switches)
        )
        self.buckets[sync_id] = Bucket(self.world.folder(sync_id))

    def switch(self, sync_id: str, export: str) -> None:
        """Pause or resume an export, and those that come with it."""
        switches = self.feed.readers[sync_id].switches
        if export in switches:
            on = not switches[export].on
            switch_exports(self.world.ledger.registry, sync_id, [export], self.world.now, on=on)
            for name in _together(export):
                self.feed.switch(sync_id, name, self.world.now, on=on)

    # --- runs -----------------------------------------------------------------------------

    def run(
        self,
        number: int,
        exports: Iterable[str],
        sync_ids: Collection[str] | None = None,
        lane: Lane = Lane.ALL,
        fuse: Fuse | None = None,
    ) -> bool:
        """Run a window that has closed; whether it got to its end."""
        exports = [export for export in exports if export in self.exports]
        chosen = sorted(self.feed.readers if sync_ids is None else sync_ids)
        before = {sync_id: self.buckets[sync_id].listing() for sync_id in chosen}
        sent = self._sent(chosen)
        services = self._services(fuse)

        def work() -> Sequence[Outcome]:
            return self.world.run(number, *exports, sync_ids=sync_ids, lane=lane, services=services)

        whole = self._attempt(work, fuse, chosen)
        end = window(number).end
        if self.world.ledger.cuts.get(end) is None:
            assert not whole or not exports
            return whole
        for export in exports:
            self.feed.run(Run(end, lane.value), export, chosen, whole=whole)
        if whole:
            self.compare(chosen)
            self._still(chosen, before, sent)
        return whole

    def retry(self, sync_ids: Collection[str] | None = None, fuse: Fuse | None = None) -> bool:
        """Send rows that were held back and have been mended."""
        chosen = sorted(self.feed.readers if sync_ids is None else sync_ids)
        services = self._services(fuse)
        whole = self._attempt(lambda: retry_quarantine(services, sync_ids), fuse, chosen)
        self.unlisted |= set(chosen)
        self.feed.retry(chosen, whole=whole)
        if whole:
            self.compare(chosen)
        return whole

    def fail(self, number: int, exports: Iterable[str], sync_id: str) -> None:
        """A run in which the destination of one sync does not answer."""
        inner = self.world.services.destinations

        def opened(sync: Sync) -> Destination:
            if sync.id == sync_id:
                raise DestinationUnavailable("It does not answer.", "It is tried again.")
            return inner(sync)

        exports = [export for export in exports if export in self.exports]
        if not exports:
            return
        self.runs += 1
        services = self.world.as_run(f"run {self.runs}", destinations=opened)
        outcomes = self.world.run(number, *exports, services=services)
        self._check({o.sync_id: o.error for o in outcomes if o.sync_id != sync_id})
        self.unlisted.add(sync_id)
        others = [one for one in self.feed.readers if one != sync_id]
        for export in exports:
            self.feed.run(Run(window(number).end), export, others)
            self.feed.run(Run(window(number).end), export, [sync_id], whole=False)
        self.compare(others)

    def lose_spool(self) -> None:
        """Files that were encoded and not yet delivered are gone."""
        shutil.rmtree(self.world.root / "spool", ignore_errors=True)

    def _services(self, fuse: Fuse | None) -> Services:
        self.runs += 1
        owner = f"run {self.runs}"
        if fuse is None:
            return self.world.as_run(owner)
        return watched(self.world.services, fuse, owner)

    def _attempt(
        self, work: Callable[[], Sequence[Outcome]], fuse: Fuse | None, sync_ids: Sequence[str]
    ) -> bool:
        try:
            outcomes = work()
        except Crash:
            self.unlisted |= set(sync_ids)
            self.wait(TTL + timedelta(seconds=1))
            return False
        assert fuse is None or not fuse.blown, "a run survived its death"
        self._check({outcome.sync_id: outcome.error for outcome in outcomes})
        return True

    def _check(self, errors: dict[str, str | None]) -> None:
        wrong = {one: error for one, error in errors.items() if error and REFUSED not in error}
        assert not wrong, wrong

    # --- what must hold ---------------------------------------------------------------------

    def _sent(self, sync_ids: Collection[str]) -> dict[tuple[str, str], set[Any]]:
        return {
            pair: {course.sent for course in courses}
            for pair, courses in self.feed.courses.items()
            if pair[0] in sync_ids
        }

    def _still(
        self,
        sync_ids: Collection[str],
        before: dict[str, dict[str, int]],
        sent: dict[tuple[str, str], set[Any]],
    ) -> None:
        """A run without news writes nothing, not even a manifest."""
        after = self._sent(sync_ids)
        for sync_id in sync_ids:
            pairs = [pair for pair in after if pair[0] == sync_id]
            sure = all(len(courses) == 1 for courses in (sent[p] for p in pairs))
            if sync_id not in self.unlisted and sure and all(sent[p] == after[p] for p in pairs):
                assert self.buckets[sync_id].listing() == before[sync_id], "written without news"
        self.unlisted -= set(sync_ids)

    def compare(self, sync_ids: Iterable[str]) -> None:
        """What was delivered is what the model says, for all that no crash left open."""
        for sync_id in sync_ids:
            reader, bucket = self.feed.readers[sync_id], self.buckets[sync_id]
            for file in bucket.files():
                assert file.workspace == reader.workspace, file
                assert file.version == reader.version, file
                assert {row["workspace_id"] for row in file.rows} <= {reader.workspace}, file
            held = self._held(sync_id)
            for export in reader.switches:
                rows, back = bucket.counted(export), held.get(export, frozenset())
                if not self.feed.seen(sync_id, export, rows, back):
                    raise AssertionError(self._told(sync_id, export, rows, back))

    def _held(self, sync_id: str) -> dict[str, set[tuple[Key, str]]]:
        """The rows in quarantine, with the reason, by export."""
        found: dict[str, set[tuple[Key, str]]] = {}
        for entry in self.world.ledger.quarantine.entries([sync_id]):
            key = (entry.workspace_id, *json.loads(entry.identity))
            found.setdefault(entry.export, set()).add((key, entry.reason))
        return found

    def _told(self, sync_id: str, export: str, rows: Counter[Frozen], held: object) -> str:
        lines = [f"{export} of {sync_id}, quarantine {held}:"]
        for course in self.feed.courses[sync_id, export]:
            lines.append(f" position {course.position}, quarantine {set(course.held)}")
            wanted = bare(course.sent)
            lines += [f"  missing {row}" for row in (wanted - rows).elements()]
            lines += [f"  too much {row}" for row in (rows - wanted).elements()]
        return "\n".join(lines)

    def prove(self) -> None:
        """Bring everything to rest, then prove all of it: rows, numbers, chain, quarantine."""
        self.close_window()
        self.run(self.tick - 1, self.exports)
        for sync_id, reader in self.feed.readers.items():
            bucket = self.buckets[sync_id]
            assert bucket.gaps() == [], sync_id
            for export in reader.switches:
                self._prove_merged(reader, export)
            if bucket.files():
                report = self.world.verify(sync_id)
                assert report.ok, report.problems
                assert not report.warnings, report.warnings
                assert report.files == len(bucket.files())
        left = [path for path in (self.world.root / "spool").rglob("*") if path.is_file()]
        assert left == [], "files are left in the spool"

    def _prove_merged(self, reader: Reader, export: str) -> None:
        """What a reader makes of the files is the source, as it was at the position.

        A crash may leave open which that is, for an export that was paused before the next run.
        """
        courses = self.feed.courses[reader.sync_id, export]
        assert not any(course.plan for course in courses)
        rows = self.buckets[reader.sync_id].rows(export)
        wrong = [differences(self.feed, reader, export, c.position, rows) for c in courses]
        assert not all(wrong), wrong


def _together(export: str) -> list[str]:
    """The exports that are switched with one."""
    return sorted(next((pair for pair in TOGETHER if export in pair), {export}))

"""A history of the whole product and of the reference model, side by side.

Each method is one thing that can happen: it is done to real Delta tables, a real ledger and real
folders, and told to the model; then the two are compared.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from cio_pipeline.model.errors import DestinationUnavailable, InvalidConfig
from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, window_until
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.purge import recreate
from cio_pipeline.pipeline.lifecycle.switches import switch_exports
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination
from cio_pipeline_tests.convergence.buckets import Bucket
from cio_pipeline_tests.convergence.commits import Commits
from cio_pipeline_tests.convergence.meaning import NEEDS
from cio_pipeline_tests.convergence.postgres import PostgresCommits, PostgresTimeline
from cio_pipeline_tests.convergence.proofs import Proofs, unfinished
from cio_pipeline_tests.convergence.reference import Feed, Run
from cio_pipeline_tests.convergence.sending import Reader, Switch, exports_of
from cio_pipeline_tests.convergence.stores import Store
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.world import NOON, QUARTER, World, window

TOGETHER = ({"campaigns", "actions"}, {"objects", "object_types"})
WEEK = timedelta(days=7)
REFUSED = "people was off for more than 7 days"


class History:
    """See the module. `exports` are those that it is about, `root` a temporary folder,
    `store` where the buckets are, `database` where the tables are if they are none of Delta.
    """

    def __init__(
        self, root: Path, exports: Collection[str], store: Store, database: Made | None = None
    ) -> None:
        self.store = store
        self.exports = sorted({one for export in exports for one in _together(export)})
        (root / "source").mkdir()
        self.world = World(root, database=database)
        self.feed = Feed()
        self.source = Commits(self.world.source_uri, self.feed.source)
        if database is not None:
            self.feed = Feed(PostgresTimeline())
            self.source = PostgresCommits(str(database), self.feed.source, made=database)
        self.proofs = Proofs(self.world, self.feed)
        self.unlisted: set[str] = set()
        """Syncs that a crash may have left without a manifest of what was committed."""
        self.runs = 0

    # --- time -----------------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """The number of the window that is open now."""
        return (self.world.now - NOON) // QUARTER

    def wait(self, length: timedelta) -> None:
        self.world.now += length

    def close_window(self) -> None:
        self.world.now = window(self.tick).end + timedelta(seconds=1)

    @property
    def tables(self) -> list[str]:
        """The tables that these exports read."""
        read = {table for export in self.exports for table in NEEDS.get(export, ())}
        return sorted({*self.exports, *read})

    # --- syncs ----------------------------------------------------------------------------

    def register(self, workspace: int, version: int, unit: str, minutes: int) -> None:
        sync_id = f"s{len(self.feed.readers)}"
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
            destination=self.store.place(sync_id),
        )
        switches = {name: Switch() for name in exports}
        self.feed.register(
            Reader(sync_id, workspace, version, unit, minutes, self.world.now, switches)
        )
        self.proofs.buckets[sync_id] = Bucket(self.store, sync_id)

    def switch(self, sync_id: str, export: str) -> None:
        """Pause or resume an export, and those that come with it."""
        switches = self.feed.readers[sync_id].switches
        if export in switches:
            on = not switches[export].on
            registry, now = self.world.ledger.registry, self.world.now
            try:
                switch_exports(registry, sync_id, [export], now, on=on)
            except InvalidConfig as error:
                paused_at = switches[export].paused_at
                if REFUSED in str(error) and on and paused_at and now - paused_at > WEEK:
                    return
                raise
            for name in _together(export):
                switches[name].turn(self.world.now)

    def recreate(self, sync_id: str) -> None:
        """All files of a sync are removed, and it starts over: a new generation (D6, D7)."""
        self.proofs.load(sync_id)
        order = Order(sync_id, self.world.now, "somebody", sure=True)
        report = recreate(self._services(None), order)
        assert report.done
        reader = self.feed.readers[sync_id]
        switches = {name: Switch() for name in reader.switches}
        self.feed.register(replace(reader, created_at=self.world.now, switches=switches))
        self.proofs.buckets[sync_id].purged()
        self.unlisted.discard(sync_id)

    # --- runs -----------------------------------------------------------------------------

    def run(
        self,
        number: int,
        exports: Sequence[str],
        sync_ids: Collection[str] | None = None,
        lane: Lane = Lane.ALL,
        fuse: Fuse | None = None,
    ) -> bool:
        """Run a window that has closed; whether it got to its end."""
        at = window(number)
        self.world.now = max(self.world.now, at.end + timedelta(seconds=1))
        return self._run(at, exports, sync_ids, lane, fuse)

    def run_now(
        self, exports: Sequence[str], sync_ids: Collection[str] | None, fuse: Fuse | None
    ) -> bool:
        """Send all up to now; whether the run got to its end."""
        at = window_until(self.world.now, FeedKind.DATA_OUT)
        return self._run(at, exports, sync_ids, Lane.ALL, fuse)

    def _run(
        self,
        at: Window,
        exports: Sequence[str],
        sync_ids: Collection[str] | None,
        lane: Lane,
        fuse: Fuse | None,
    ) -> bool:
        end = at.end
        left = self._left_alone()
        chosen = sorted(set(self.feed.readers if sync_ids is None else sync_ids) - left)
        before, courses = self.proofs.listings(), dict(self.feed.courses)
        services = self._services(fuse)

        def work() -> Sequence[Outcome]:
            return self.world.run_window(
                at, *exports, sync_ids=sync_ids, lane=lane, services=services
            )

        whole = self._attempt(work, fuse, chosen)
        self.proofs.untouched(left, before)
        if self.world.ledger.cuts.get(end) is None:
            assert not whole, "no cut was stored"
            return False
        for export in exports:
            run = Run(end, lane.value, early=at.early)
            self.feed.run(run, export, chosen, whole=whole)
            if sync_ids is None:
                self.feed.run(run, export, left, whole=False)
        if whole:
            self.proofs.compare(chosen)
            self.proofs.quiet(set(chosen) - self.unlisted, before, courses)
            self.unlisted -= set(chosen)
        return whole

    def retry(self, sync_ids: Collection[str] | None = None, fuse: Fuse | None = None) -> bool:
        """Send rows that were held back and have been mended."""
        chosen = sorted(self.feed.readers if sync_ids is None else sync_ids)
        services = self._services(fuse)
        for sync_id in chosen[:1]:
            self.proofs.load(sync_id)
        whole = self._attempt(lambda: retry_quarantine(services, sync_ids), fuse, chosen)
        self.unlisted |= set(chosen)
        self.feed.retry(chosen, whole=whole)
        if whole:
            self.proofs.compare(chosen)
        return whole

    def fail(self, number: int, exports: Sequence[str], sync_id: str) -> None:
        """A run in which the destination of one sync does not answer."""
        inner = self.world.services.destinations

        def opened(sync: Sync) -> Destination:
            if sync.id == sync_id:
                raise DestinationUnavailable("It does not answer.", "It is tried again.")
            return inner(sync)

        self.runs += 1
        services = self.world.as_run(f"run {self.runs}", destinations=opened)
        not_served = self._left_alone() | {sync_id}
        before = self.proofs.listings()
        outcomes = self.world.run(number, *exports, services=services)
        self._check(outcomes, self.feed.readers.keys() - not_served)
        self.proofs.untouched(not_served, before)
        self.unlisted |= not_served
        others = sorted(self.feed.readers.keys() - not_served)
        for export in exports:
            self.feed.run(Run(window(number).end), export, others)
            self.feed.run(Run(window(number).end), export, not_served, whole=False)
        self.proofs.compare(others)

    def _left_alone(self) -> set[str]:
        """Syncs whose breaker is open after runs that failed: nothing is sent to them (O8)."""
        breakers = self.world.ledger.breakers.all()
        return {sync_id for sync_id, one in breakers.items() if one.open(self.world.now)}

    def lose_spool(self) -> None:
        """Files that were encoded and not yet delivered are gone."""
        shutil.rmtree(self.world.root / "spool", ignore_errors=True)

    def restore(self, seed: int) -> None:
        """Objects that lie there for good are lost or altered, and come back as they were."""
        open_syncs = {pair[0] for pair, found in self.feed.courses.items() if unfinished(found)}
        chosen = sorted(self.feed.readers.keys() - open_syncs - self.unlisted)
        bodies = self._bodies(chosen)
        if not bodies:
            return
        chance = Random(seed)  # noqa: S311 - no secret
        for sync_id, key in chance.sample(sorted(bodies), chance.randint(1, len(bodies))):
            if chance.random() < 0.5:
                self.store.delete(sync_id, key)
            else:
                self.store.write(sync_id, key, b"altered")
        services = self._services(None)
        restored = [*restore_manifests(services, chosen), *restore(services, chosen)]
        assert not [one.error for one in restored if one.error]
        assert self._bodies(chosen) == bodies

    def _bodies(self, sync_ids: Iterable[str]) -> dict[tuple[str, str], bytes]:
        buckets = self.proofs.buckets
        return {(one, key): body for one in sync_ids for key, body in buckets[one].bodies().items()}

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
        self._check(outcomes, sync_ids)
        return True

    def _check(self, outcomes: Iterable[Outcome], sync_ids: Collection[str]) -> None:
        errors = [one.error for one in outcomes if one.error and one.sync_id in sync_ids]
        assert not [error for error in errors if REFUSED not in str(error)], errors

    def prove(self) -> None:
        """Bring everything to rest, then prove all of it."""
        for sync_id in self.feed.readers:
            close_breaker(self.world.ledger, sync_id)
        self.close_window()
        self.run(self.tick - 1, self.exports)
        self.proofs.whole()


def _together(export: str) -> list[str]:
    """The exports that are switched with one."""
    return sorted(next((pair for pair in TOGETHER if export in pair), {export}))

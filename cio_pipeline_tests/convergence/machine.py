"""Random histories: each rule is one thing that can happen, with chance in its arguments."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cio_pipeline.model.scope import Lane
from cio_pipeline_tests.convergence.history import History
from cio_pipeline_tests.convergence.rows import WORKSPACES
from cio_pipeline_tests.convergence.stores import Folders, Store
from cio_pipeline_tests.crashes import Fuse
from cio_pipeline_tests.world import during

SCOPES = st.sampled_from(
    [
        ("people", "attributes"),
        ("people", "events"),
        ("people", "metrics"),
        ("attributes", "events"),
        ("deliveries", "inbound"),
        ("subjects", "outputs"),
        ("delivery_content", "broadcasts"),
        ("campaigns", "actions"),
        ("objects", "object_types"),
        ("objects", "object_attributes"),
    ]
)
"""What a history is about: few exports, so that much happens to each."""

SEEDS = st.integers(0, 2**16)
SOME = st.integers(0, 7)
"""Which of several tables, exports or syncs: taken modulo their number."""

WRITES = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "put", "put", "put", "delete", "overwrite", "touch", "compact", "undo", "mend"]
        ),
        SOME,
        SEEDS,
        # The window that the commit says it was made in, counted from the open one.
        st.sampled_from([0, 0, 0, 0, 0, -1, -2, 1]),
    ),
    min_size=1,
    max_size=4,
)
"""Commits: how, to which table, with which rows, and how early or late."""

SYNCS = st.tuples(
    st.sampled_from(WORKSPACES),
    st.sampled_from([5, 5, 4]),
    st.sampled_from(["us", "us", "ms"]),
    st.sampled_from([15, 15, 15, 60]),
)
"""Workspace, version, timestamp unit, and every how many minutes a sync is served."""

WINDOWS = st.tuples(st.integers(0, 2), st.integers(0, 2))
"""How many windows close now, and how far before the last closed one the window lies."""

LANES = st.sampled_from([Lane.ALL, Lane.ALL, Lane.TICK, Lane.INITIAL])
EFFECTS = st.integers(1, 60)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a name of its own
"""Where a folder costs no disk, since histories make many small files and sync each of them."""

KEPT = st.sampled_from(["kept", "lost"])
Writes = list[tuple[str, int, int, int]]


class Convergence(RuleBasedStateMachine):
    """See the module; `self.history` does and compares."""

    def store(self) -> Store:
        """Where the buckets lie."""
        return Folders(self.root)

    def history_of(self, scope: Sequence[str]) -> History:
        """What is done to, and compared."""
        return History(self.root, scope, self.store())

    @initialize(scope=SCOPES, late=st.integers(0, 7), writes=WRITES, sync=SYNCS)
    def begin(
        self, scope: Sequence[str], late: int, writes: Writes, sync: tuple[int, int, str, int]
    ) -> None:
        """Some tables, one of them perhaps `late`, and a sync."""
        self.root = Path(tempfile.mkdtemp(prefix="convergence-", dir=MEMORY))
        self.history = self.history_of(scope)
        tables = self.history.tables
        for number, table in enumerate(tables):
            if number != late or number == 0:
                self.history.source.create(table)
        for number in range(len(tables)):
            self.history.source.put(
                self.table(number), late, self.at(0), 4
            ) if number != late else None
        self.write(writes)
        self.history.register(*sync)

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.history.prove()
        finally:
            self.history.proofs.tables.close()
            self.history.world.ledger.close()
            shutil.rmtree(self.root)

    def table(self, which: int) -> str:
        """One of the tables; it is made if it does not exist yet."""
        tables = self.history.tables
        self.history.source.create(tables[which % len(tables)])
        return tables[which % len(tables)]

    def at(self, lateness: int) -> datetime:
        return during(self.history.tick + lateness, 5)

    def some(self, which: int) -> list[str]:
        """One export, or all of them."""
        exports = self.history.exports
        return [exports[which]] if which < len(exports) else exports

    def sync(self, which: int) -> str:
        known = sorted(self.history.feed.readers)
        return known[which % len(known)]

    def closed(self, ahead: int, back: int = 0) -> int:
        """The number of a closed window, after `ahead` more have closed: the last, or `back`."""
        for _ in range(max(ahead, 1 if self.history.tick == 0 else 0)):
            self.history.close_window()
        return max(self.history.tick - 1 - back, 0)

    def write(self, writes: Writes) -> None:
        for how, which, seed, late in writes:
            self.history.source.write(how, self.table(which), seed, self.at(late))

    # --- what can happen ------------------------------------------------------------------

    @rule(writes=WRITES)
    def rows_are_written(self, writes: Writes) -> None:
        self.write(writes)

    @rule(writes=WRITES, which=SOME)
    def the_window_is_run(self, writes: Writes, which: int) -> None:
        self.write(writes)
        self.history.run(self.closed(1), self.some(which))

    @rule(writes=WRITES, window=WINDOWS, which=SOME, one=st.none() | SOME, lane=LANES)
    def some_window_is_run(
        self, writes: Writes, window: tuple[int, int], which: int, one: int | None, lane: Lane
    ) -> None:
        self.write(writes)
        chosen = None if one is None else [self.sync(one)]
        self.history.run(self.closed(*window), self.some(which), chosen, lane)

    @rule(writes=WRITES, seed=SEEDS, which=SOME, one=SOME)
    def a_later_window_is_run_first(self, writes: Writes, seed: int, which: int, one: int) -> None:
        """For one sync; a commit comes in between that says it was made in the earlier window."""
        self.write(writes)
        later = self.closed(2)
        self.history.run(later, self.some(which), [self.sync(one)])
        self.history.source.put(self.table(which), seed, self.at(-2), 2)
        self.history.run(later - 1, self.history.exports)

    @rule(
        writes=WRITES,
        minutes=st.integers(0, 14),
        which=SOME,
        one=st.none() | SOME,
        effect=st.none() | EFFECTS,
    )
    def all_up_to_now_is_sent(
        self, writes: Writes, minutes: int, which: int, one: int | None, effect: int | None
    ) -> None:
        """No window's end is waited for, nor a cadence; the run may die."""
        self.write(writes)
        self.history.wait(timedelta(minutes=minutes))
        chosen = None if one is None else [self.sync(one)]
        self.history.run_now(self.some(which), chosen, None if effect is None else Fuse(effect))

    @rule(writes=WRITES, window=WINDOWS, which=SOME, effect=EFFECTS, spool=KEPT)
    def a_run_dies(
        self, writes: Writes, window: tuple[int, int], which: int, effect: int, spool: str
    ) -> None:
        self.write(writes)
        self.history.run(self.closed(*window), self.some(which), fuse=Fuse(effect))
        if spool == "lost":
            self.history.lose_spool()

    @rule(writes=WRITES, which=SOME, export=SOME)
    def a_destination_fails(self, writes: Writes, which: int, export: int) -> None:
        self.write(writes)
        self.history.fail(self.closed(1), self.some(export), self.sync(which))

    @rule(which=SOME, export=SOME, days=st.sampled_from([0, 0, 0, 8, 31]))
    def an_export_is_switched(self, which: int, export: int, days: int) -> None:
        """Off or on again; time may pass just before."""
        self.history.wait(timedelta(days=days, minutes=4))
        exports = self.history.exports
        self.history.switch(self.sync(which), exports[export % len(exports)])

    @rule(writes=WRITES, which=SOME, minutes=st.integers(0, 14))
    def a_sync_is_recreated(self, writes: Writes, which: int, minutes: int) -> None:
        self.write(writes)
        self.history.wait(timedelta(minutes=minutes))
        self.history.recreate(self.sync(which))

    @precondition(lambda self: len(self.history.feed.readers) < 4)
    @rule(sync=SYNCS)
    def a_sync_is_registered(self, sync: tuple[int, int, str, int]) -> None:
        self.history.register(*sync)

    @rule(writes=WRITES, effect=st.none() | EFFECTS)
    def quarantine_is_retried(self, writes: Writes, effect: int | None) -> None:
        self.write(writes)
        self.history.retry(fuse=None if effect is None else Fuse(effect))

    @rule(writes=WRITES, seed=SEEDS)
    def objects_are_lost_and_restored(self, writes: Writes, seed: int) -> None:
        self.write(writes)
        self.history.restore(seed)

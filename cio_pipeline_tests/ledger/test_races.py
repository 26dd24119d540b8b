"""Two runs at a time: nothing is claimed, numbered or delivered twice."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import event, select

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.ledger.schema import plans
from cio_pipeline.model.errors import LeaseLost, LedgerBusy, PositionMoved
from cio_pipeline.model.history import Deed
from cio_pipeline.model.manifests import digest, render_manifest
from cio_pipeline.model.plans import PlanState
from cio_pipeline.model.registry import ExportSwitch, Pair
from cio_pipeline_tests.ledger.build import (
    T0,
    TTL,
    claim,
    commit,
    cut,
    deliver,
    draft,
    manifests,
    register,
    seal_and_deliver,
    sealed,
    state,
    sync,
)
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.waiting import PATIENCE

PAIRS: list[Pair] = [(sync_id, export) for sync_id in ("a", "b") for export in ("events", "people")]


def together(work: Callable[[int], None], runners: int = 3) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(runners)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_each_pair_is_granted_to_one_of_many(ledger: Ledger):
    pairs = [(f"sync-{number}", "people") for number in range(300)]
    granted: list[set[Pair]] = []

    def work(number: int) -> None:
        order = pairs if number % 2 else pairs[::-1]
        lease, holders = ledger.leases.claim(order, f"run-{number}", T0, TTL)
        assert {(h.sync_id, h.export) for h in holders} | set(lease.tokens) == set(pairs)
        granted.append(set(lease.tokens))

    together(work)
    assert set.union(*granted) == set(pairs)
    assert sum(len(of_one) for of_one in granted) == len(pairs)


def test_attempts_are_never_counted_alike(ledger: Ledger):
    numbers: list[int] = []

    def work(_number: int) -> None:
        numbers.extend(ledger.attempts.next("tick", "w1", T0) for _ in range(8))

    together(work)
    assert sorted(numbers) == list(range(1, 25))


def test_one_of_two_commits_of_the_same_plan_wins(ledger: Ledger):
    register(ledger, "a")
    lease = claim(ledger, PAIRS[1])
    (plan,) = ledger.plans.open(lease, [draft(state(ledger, PAIRS[1]), cut(1))], T0)
    seal_and_deliver(ledger, lease, sealed(plan))
    lost: list[int] = []

    def work(number: int) -> None:
        try:
            commit(ledger, lease, plan)
        except PositionMoved:
            lost.append(number)

    together(work)
    assert len(lost) == 2
    assert len(ledger.manifests.files("a")) == 1


def test_exports_of_a_sync_that_commit_at_once_continue_one_chain(ledger: Ledger):
    """As the steps of a run do that send initial exports in slices: none fails, none waits."""
    exports = sorted(EXPORTS)[:4]
    register(ledger, "a", exports=exports)

    def work(number: int) -> None:
        pair = ("a", exports[number])
        lease = claim(ledger, pair, owner=f"run-{number}")
        for step in range(1, 9):
            deliver(ledger, lease, step, pair)

    together(work, runners=4)
    chain = manifests(ledger, "a")
    assert [one.ordinal for one in chain] == list(range(1, 33))
    digests = [digest(render_manifest(one)) for one in chain]
    assert [one.previous for one in chain] == [None, *digests[:-1]]
    for before, after in pairwise(chain):
        (file,) = after.files
        stood = {one.export: one.position for one in before.exports}
        stands = {one.export: one.position for one in after.exports}
        assert stands == stood | {file.export: file.window_end}


def run_windows(ledger: Ledger, owner: str, hours: int) -> None:
    """Take pairs over from whoever has them, and resume what is found, again and again."""
    for hour in range(hours):
        for pair in PAIRS:
            try:
                _deliver_once(ledger, pair, owner, hour + 1)
            except (LeaseLost, PositionMoved, LedgerBusy):
                continue


def _deliver_once(ledger: Ledger, pair: Pair, owner: str, step: int) -> None:
    lease, _ = ledger.leases.claim([pair], owner, T0 + timedelta(days=step), TTL)
    if pair not in lease.tokens:
        return
    known = state(ledger, pair)
    plan = known.open_plan
    if plan is None:
        upper = ledger.cuts.store(cut(step))
        if known.position and known.position.at >= upper.at:
            return
        (plan,) = ledger.plans.open(lease, [draft(known, upper)], T0)
    if plan.state is not PlanState.DELIVERED:
        ledger.plans.seal(lease, [sealed(plan, 1 + plan.plan_id % 2)], T0)
        if ledger.leases.lost(lease, [pair]):
            return
        ledger.plans.deliver(lease, [plan])
    commit(ledger, lease, plan)


def require_every_number_once(ledger: Ledger) -> None:
    rows = ledger.database.read(lambda c: c.execute(select(plans).order_by(plans.c.id)).all())
    for pair in PAIRS:
        chain = [row for row in rows if (row.sync_id, row.export) == pair]
        done = [row for row in chain if row.state == PlanState.COMMITTED]
        assert len(chain) - len(done) <= 1
        assert [row.lower_at for row in done] == [None, *(row.upper_at for row in done)][:-1]
        numbers = [f.sequence for f in ledger.manifests.files(pair[0]) if f.export == pair[1]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
    for sync_id in ("a", "b"):
        chain = manifests(ledger, sync_id)
        assert [one.ordinal for one in chain] == list(range(1, len(chain) + 1))
        listed = [file.key for one in chain for file in one.files]
        assert listed == [file.key for file in ledger.manifests.files(sync_id)]


def test_runs_that_steal_from_one_another_deliver_every_number_once(ledger: Ledger):
    register(ledger, "a", "b")
    together(lambda number: run_windows(ledger, f"run-{number}", 6))
    require_every_number_once(ledger)


def test_two_processes_deliver_every_number_once_on_one_file(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = open_ledger(url)
    register(ledger, "a", "b")
    script = (
        "import sys; from cio_pipeline.ledger.open import open_ledger; "
        "from cio_pipeline_tests.ledger.test_races import run_windows; "
        "ledger = open_ledger(sys.argv[1]); run_windows(ledger, sys.argv[2], 6); ledger.close()"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, f"run-{number}"], stderr=subprocess.PIPE
        )
        for number in range(2)
    ]
    for process in running:
        _, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaint.decode()
    require_every_number_once(ledger)
    ledger.close()


def test_of_changes_of_a_sync_at_once_each_is_made_on_what_it_read(ledger: Ledger):
    """Pausing `people` beside pausing `events` told both "off", and turned one off."""
    exports = [f"export-{number}" for number in range(4)]
    register(ledger, "a", exports=exports)
    on = {name: ExportSwitch(enabled=True) for name in exports}
    read = threading.Barrier(len(exports))
    tries: list[int] = []

    def pause(number: int) -> None:
        known = ledger.registry.get("a")
        read.wait()
        while True:
            tries.append(number)
            switches = {
                **known.switches,
                exports[number]: ExportSwitch(enabled=False, paused_at=T0),
            }
            try:
                ledger.registry.put(known.sync, switches, T0, Deed("me", "pause"), known=known)
            except LeaseLost:
                known = ledger.registry.get("a")
            else:
                return

    together(pause, runners=len(exports))
    found = ledger.registry.get("a").switches
    assert {name: switch.enabled for name, switch in found.items()} == dict.fromkeys(on, False)
    assert len(tries) > len(exports), "all but one had read what was changed meanwhile"


def test_a_sync_that_another_registers_meanwhile_is_no_surprise(
    postgres_cluster: Cluster,
) -> None:
    """What reads of a transaction see on PostgreSQL goes on: switches of a sync come after it."""
    url = postgres_cluster.new_schema()
    ours, theirs = open_ledger(url), open_ledger(url)
    off = {"people": ExportSwitch(enabled=False)}
    once = iter([True])

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT syncs.id") and next(once, False):
            theirs.registry.put(sync("a", 1), off, T0)

    event.listen(ours.database.engine, "after_cursor_execute", meanwhile)
    try:
        assert ours.registry.put(sync("a", 1), off, T0) == theirs.registry.get("a")
    finally:
        ours.close()
        theirs.close()

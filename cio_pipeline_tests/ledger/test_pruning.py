"""What ended long ago leaves the ledger, and nothing that anybody still asks for."""

import pytest
from sqlalchemy import func, select

from cio_pipeline.ledger import upkeep
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.schema import gone_people, metadata
from cio_pipeline.ledger.upkeep import Pruned, prune
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.plans import Mode, QuarantinedRow
from cio_pipeline_tests.ledger.build import (
    T0,
    at,
    claim,
    commit,
    cut,
    deliver,
    draft,
    open_plan,
    register,
    seal_and_deliver,
    sealed,
    state,
)

LATE = at(1_000)
NOTHING = Pruned(0, 0, 0, 0, 0, 0)


@pytest.fixture(autouse=True)
def small_portions(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "AT_A_TIME", 2)
    register(ledger, "acme")


def empty_windows(ledger: Ledger, first: int, last: int, *rows: QuarantinedRow) -> None:
    """Windows whose plans had no file, the first of which held rows back."""
    lease = claim(ledger)
    for step in range(first, last + 1):
        plan = open_plan(ledger, lease, step)
        full = sealed(plan, 0, rows if step == first else ())
        seal_and_deliver(ledger, lease, full, step=step)
        commit(ledger, lease, plan, step=step)


def number(ledger: Ledger, table: str) -> int:
    count = select(func.count()).select_from(metadata.tables[table])
    return ledger.database.read(lambda c: c.scalar(count)) or 0


def test_plans_without_files_and_their_cuts_go_and_all_others_stay(ledger: Ledger):
    first = deliver(ledger, claim(ledger), 1)
    empty_windows(ledger, 2, 9)
    deliver(ledger, claim(ledger), 10)
    before = state(ledger), ledger.recovery.committed(["acme"])
    # The plan of window 10 begins at cut 9.
    assert prune(ledger.database, at(9), ()) == Pruned(0, 0, 7, 6, 0, 0)
    assert prune(ledger.database, LATE, ()) == Pruned(0, 0, 1, 1, 0, 0)
    assert (state(ledger), [one for one in before[1] if one.sealed.files]) == (
        before[0],
        list(ledger.recovery.committed(["acme"])),
    )
    assert ledger.recovery.committed(["acme"])[0].sealed.files == first.files
    assert prune(ledger.database, LATE, ()) == NOTHING


def test_what_an_open_plan_needs_stays(ledger: Ledger):
    deliver(ledger, claim(ledger), 1)
    ledger.gone.keep(at(1), {1: ["ada"]})
    ledger.gone.keep(at(2), {1: ["nobody asks"]})
    open_plan(ledger, claim(ledger), 2)
    assert prune(ledger.database, LATE, ()) == Pruned(0, 0, 0, 0, 1, 0)
    assert (number(ledger, "plans"), number(ledger, "cuts")) == (2, 2)
    (left,) = ledger.database.read(lambda c: c.scalars(select(gone_people.c.at)).all())
    assert left == at(1), "first files were made from it"
    assert state(ledger).open_plan


def test_rows_that_are_held_back_keep_their_plan_closed_ones_go_with_it(ledger: Ledger):
    deliver(ledger, claim(ledger), 1)
    row = QuarantinedRow(1, '["ada"]', "email is null")
    empty_windows(ledger, 2, 3, row)
    assert prune(ledger.database, LATE, ()).plans == 1
    lease = claim(ledger)
    (plan,) = ledger.plans.open(lease, [draft(state(ledger), cut(3), Mode.RETRY)], T0)
    seal_and_deliver(ledger, lease, sealed(plan, 1, (), (row.identity,)))
    commit(ledger, lease, plan)
    assert prune(ledger.database, LATE, ()) == Pruned(0, 1, 1, 1, 0, 0)


def test_only_attempts_of_settled_windows_go(ledger: Ledger):
    for lane, key in [("tick", "w1"), ("tick", "w2"), ("tick", "w3"), ("initial", "acme")]:
        ledger.attempts.next(lane, key, at(1))
    ledger.attempts.next("tick", "w4", at(5))
    assert prune(ledger.database, at(5), ["w2"]) == Pruned(2, 0, 0, 0, 0, 0)
    assert set(ledger.attempts.counts("tick", ["w1", "w2", "w3", "w4"])) == {"w2", "w4"}
    assert ledger.attempts.counts("initial", ["acme"])


def test_bodies_go_once_they_lie_in_the_bucket_and_leave_digest_and_size(ledger: Ledger):
    for step in (1, 2, 3):
        deliver(ledger, claim(ledger), step)
    bodies, objects = ledger.manifests.bodies("acme"), ledger.manifests.objects("acme")
    digests = ledger.manifests.digests("acme")
    ledger.manifests.mark_put([("acme", 1), ("acme", 2)], at(3))
    assert prune(ledger.database, at(3), ()).bodies == 0
    assert prune(ledger.database, at(4), ()).bodies == 2
    assert ledger.manifests.bodies("acme") == [(1, b""), (2, b""), bodies[2]]
    assert ledger.manifests.objects("acme") == objects, "keys, sizes and digests are as before"
    assert ledger.manifests.digests("acme") == digests
    assert (ledger.manifests.body("acme", 1), ledger.manifests.body("acme", 3)) == (
        b"",
        bodies[2][1],
    )
    assert [one.key for one in objects][-3:] == [manifest_key(n) for n in (1, 2, 3)]
    assert prune(ledger.database, LATE, ()) == NOTHING

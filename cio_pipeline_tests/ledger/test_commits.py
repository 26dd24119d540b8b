"""Positions move with the files that are committed, or along empty windows."""

import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import (
    LeaseLost,
    PositionMoved,
)
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    TTL,
    at,
    claim,
    commit,
    cut,
    deliver,
    manifests,
    new_generation,
    open_plan,
    register,
    seal_and_deliver,
    sealed,
    state,
)

EVENTS = ("acme", "events")


@pytest.fixture(autouse=True)
def registered(ledger: Ledger) -> None:
    register(ledger, "acme", "beta")


def test_committing_moves_position_and_files_together_d6(ledger: Ledger):
    lease = claim(ledger)
    full = deliver(ledger, lease, 1, count=2)
    known = state(ledger)
    assert (known.position, known.open_plan) == (cut(1), None)
    committed = ledger.manifests.files("acme")
    assert [f.key for f in committed] == [f.key for f in full.files]
    assert [(f.mode, f.window_end, f.generation) for f in committed] == [
        (Mode.INITIAL, at(1), 1)
    ] * 2


def test_a_plan_without_files_is_committed_alike(ledger: Ledger):
    deliver(ledger, claim(ledger), 1, count=0)
    assert state(ledger).position == cut(1)
    assert state(ledger).next_sequence[Series.PLAIN] == 1
    assert ledger.manifests.files("acme") == []


def test_only_delivered_plans_are_committed_and_once(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    with pytest.raises(PositionMoved, match="not delivered"):
        commit(ledger, lease, plan)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    with pytest.raises(PositionMoved, match="not delivered"):
        commit(ledger, lease, plan)
    ledger.plans.deliver(lease, [plan])
    assert commit(ledger, lease, plan) == {"acme": 1}
    with pytest.raises(PositionMoved, match="not delivered"):
        commit(ledger, lease, plan)
    with pytest.raises(PositionMoved, match="not open or sealed"):
        ledger.plans.seal(lease, [sealed(plan)], T0)
    assert len(ledger.manifests.files("acme")) == 1


def test_a_zombie_can_neither_seal_nor_commit_nor_advance(ledger: Ledger):
    zombie = claim(ledger)
    plan = open_plan(ledger, zombie, 1)
    lease = claim(ledger, owner="run-2", now=T0 + TTL)
    with pytest.raises(LeaseLost):
        ledger.plans.seal(zombie, [sealed(plan)], T0)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    with pytest.raises(LeaseLost):
        ledger.plans.deliver(zombie, [plan])
    ledger.plans.deliver(lease, [plan])
    with pytest.raises(LeaseLost):
        commit(ledger, zombie, plan)
    with pytest.raises(LeaseLost):
        ledger.plans.abandon(zombie, plan, void=True, now=T0)
    with pytest.raises(LeaseLost):
        ledger.plans.advance(zombie, [PEOPLE], cut(3), T0)
    assert ledger.manifests.bodies("acme") == []
    commit(ledger, lease, plan)
    assert state(ledger).position == cut(1)


def test_a_commit_that_fails_for_one_plan_stores_none(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    plans = [open_plan(ledger, lease, 1), open_plan(ledger, lease, 1, EVENTS)]
    seal_and_deliver(ledger, lease, *(sealed(plan) for plan in plans))
    commit(ledger, lease, plans[1])
    with pytest.raises(PositionMoved):
        commit(ledger, lease, *plans)
    assert state(ledger).position is None
    assert [f.export for f in ledger.manifests.files("acme")] == ["events"]
    assert [one.ordinal for one in manifests(ledger)] == [1]


def test_a_plan_of_an_earlier_generation_is_not_committed_d6(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    seal_and_deliver(ledger, lease, sealed(plan))
    new_generation(ledger)
    with pytest.raises(PositionMoved, match="no longer where the plan began"):
        commit(ledger, lease, plan)
    assert ledger.manifests.bodies("acme") == []
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    assert deliver(ledger, lease, 1).files[0].sequence == 2


def test_advancing_moves_positions_but_never_back_d6(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    deliver(ledger, lease, 3)
    ledger.plans.advance(lease, [PEOPLE, EVENTS], cut(2), T0)
    assert state(ledger).position == cut(3)
    assert state(ledger, EVENTS).position == cut(2)
    ledger.plans.advance(lease, [PEOPLE, EVENTS], cut(4), T0)
    assert state(ledger).position == cut(4) == state(ledger, EVENTS).position
    assert state(ledger, ("beta", "people")).position is None


def test_advancing_past_an_unfinished_plan_is_refused(ledger: Ledger):
    lease = claim(ledger)
    open_plan(ledger, lease, 1)
    with pytest.raises(PositionMoved, match="unfinished"):
        ledger.plans.advance(lease, [PEOPLE], cut(2), T0)
    assert state(ledger).position is None

"""Moving positions on without a lease, where nothing changed (D6)."""

import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.failures import Failure
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    TTL,
    at,
    claim,
    cut,
    deliver,
    draft,
    new_generation,
    open_plan,
    register,
    seal_and_deliver,
    sealed,
    state,
    window,
)


@pytest.fixture
def delivered(ledger: Ledger) -> Ledger:
    """A ledger whose one pair was delivered up to step 1 and is held by nobody."""
    register(ledger, "acme")
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    ledger.leases.release(lease)
    return ledger


def position(ledger: Ledger):
    found = state(ledger).position
    return None if found is None else found.at


def test_a_pair_that_nobody_holds_moves_and_its_errors_are_overtaken(delivered: Ledger):
    delivered.failing.record({PEOPLE: Failure("Kind", "message")}, window(2))

    assert list(delivered.plans.advance_unheld({PEOPLE: at(1)}, cut(2), at(2))) == [PEOPLE]
    assert position(delivered) == at(2)
    assert not delivered.failing.of_window(at(2))


def test_a_pair_moves_only_from_where_it_stands(delivered: Ledger):
    assert not delivered.plans.advance_unheld({PEOPLE: at(0)}, cut(2), at(2))
    assert position(delivered) == at(1)


def test_a_pair_that_another_run_holds_is_left_to_it(delivered: Ledger):
    claim(delivered, now=at(2))

    assert not delivered.plans.advance_unheld({PEOPLE: at(1)}, cut(2), at(2))
    assert position(delivered) == at(1)


def test_a_pair_with_an_unfinished_plan_stays(delivered: Ledger):
    lease = claim(delivered, now=at(2))
    open_plan(delivered, lease, 2)
    delivered.leases.release(lease)

    assert not delivered.plans.advance_unheld({PEOPLE: at(1)}, cut(3), at(3))
    assert position(delivered) == at(1)


def test_a_pair_of_a_new_generation_stays_without_position_d6(delivered: Ledger):
    new_generation(delivered)

    assert not delivered.plans.advance_unheld({PEOPLE: at(1)}, cut(2), at(2))
    assert position(delivered) is None


def test_a_run_that_let_its_lease_expire_cannot_plan_from_the_old_position(delivered: Ledger):
    slept = claim(delivered, now=T0)
    planned = draft(state(delivered), delivered.cuts.store(cut(3)))
    moved = delivered.plans.advance_unheld({PEOPLE: at(1)}, cut(2), T0 + TTL)
    assert list(moved) == [PEOPLE]

    with pytest.raises(PositionMoved):
        delivered.plans.open(slept, [planned], at(3))
    assert position(delivered) == at(2)


def test_nothing_to_move_is_no_error(delivered: Ledger):
    assert not delivered.plans.advance_unheld({}, cut(2), at(2))


def test_files_reach_as_far_as_states_tell_also_before_the_commit(delivered: Ledger):
    assert delivered.looks.reached("people") == {"acme": at(1)}
    lease = claim(delivered, now=at(2))
    plan = open_plan(delivered, lease, 2)
    assert delivered.looks.reached("people") == {"acme": at(1)}, "nothing of it was put"

    seal_and_deliver(delivered, lease, sealed(plan), step=2)

    there = state(delivered).delivered
    assert there is not None
    assert delivered.looks.reached("people") == {"acme": there.at} == {"acme": at(2)}
    assert not delivered.looks.reached("events")

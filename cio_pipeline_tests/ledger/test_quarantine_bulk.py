"""What is kept in bulk ends as entries do: with a plan that is given up, with a generation."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cio_pipeline.ledger import quarantine
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.history import Deed
from cio_pipeline.model.plans import Plan, QuarantinedRow
from cio_pipeline.model.registry import Lease
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    WINDOW,
    at,
    claim,
    open_plan,
    register,
    sealed,
)

ROWS = tuple(QuarantinedRow(1, f'["p{number}"]', "email is null") for number in range(5))


@pytest.fixture(autouse=True)
def few(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_ENTRIES", 3)
    register(ledger, "acme", "beta")


def hold_back(ledger: Ledger, step: int, rows: tuple[QuarantinedRow, ...]) -> tuple[Lease, Plan]:
    lease = claim(ledger)
    plan = open_plan(ledger, lease, step)
    ledger.plans.seal(lease, [sealed(plan, 1, rows)], T0)
    return lease, plan


def commit(ledger: Ledger, lease: Lease, plan: Plan) -> None:
    ledger.plans.deliver(lease, [plan])
    ledger.plans.commit(lease, [plan], WINDOW, T0)


def abandon(ledger: Ledger, lease: Lease, plan: Plan) -> None:
    ledger.plans.abandon(lease, plan, void=True, now=T0)


def begin_anew(ledger: Ledger, lease: Lease, plan: Plan) -> None:
    commit(ledger, lease, plan)
    known = ledger.registry.get("acme")
    to = replace(known, generation=known.generation + 1)
    ledger.registry.change(lease, known, to, Deed("me", "again"), at=at(2))


@pytest.mark.parametrize(("end", "left"), [(commit, 5), (abandon, 0), (begin_anew, 0)])
def test_the_bulk_ends_with_what_made_it(
    ledger: Ledger, end: Callable[[Ledger, Lease, Plan], None], left: int
):
    end(ledger, *hold_back(ledger, 1, ROWS))
    assert ledger.quarantine.entries() == []
    assert ledger.quarantine.held(["acme", "beta"], "people").height == left
    assert sum(one.identities for one in ledger.quarantine.bulk(["acme"])) == left
    assert ledger.quarantine.bulk(["beta"]) == []
    assert ledger.quarantine.pairs() == ([PEOPLE] if left else [])


def test_rows_that_are_held_back_again_move_between_entries_and_bulk(ledger: Ledger):
    commit(ledger, *hold_back(ledger, 1, ROWS[:2]))
    assert len(ledger.quarantine.entries()) == 2
    commit(ledger, *hold_back(ledger, 2, ROWS))
    assert ledger.quarantine.entries() == []
    commit(ledger, *hold_back(ledger, 3, ROWS[3:]))
    assert [one.identity for one in ledger.quarantine.entries()] == ['["p3"]', '["p4"]']
    (bulk,) = ledger.quarantine.bulk()
    assert (bulk.identities, bulk.samples) == (3, ('["p0"]', '["p1"]', '["p2"]'))


def test_many_windows_with_few_bad_rows_are_bounded_too(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(quarantine, "MOST_OPEN", 4)
    for step in (1, 2, 3):
        rows = tuple(replace(row, identity=f'["{step}{row.identity}"]') for row in ROWS[:2])
        commit(ledger, *hold_back(ledger, step, rows))
    assert len(ledger.quarantine.entries()) == 4
    assert [one.identities for one in ledger.quarantine.bulk()] == [2]

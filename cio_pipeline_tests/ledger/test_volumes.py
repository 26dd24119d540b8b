"""What was sent by the hour and by the day: counted once, with the commit (O1)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.upkeep import prune
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, NOBODY, PERSON, Volume, ended
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
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

COUNTS = ((PERSON, 8), (NOBODY, 2), (EVENT + "signed_up", 4))


def test_o1_rows_and_bytes_add_up_by_hour_and_day_and_first_files_do_not_count(
    ledger: Ledger,
) -> None:
    register(ledger, "acme")
    lease = claim(ledger)
    deliver(ledger, lease, 1, count=7)
    for step, files in ((2, 1), (4, 2), (5, 1)):
        deliver(ledger, lease, step, count=files)

    hours = ledger.volumes.of(HOUR, [at(4), at(8), at(12)])
    days = ledger.volumes.of(DAY, [T0 + DAY])

    assert hours == {
        at(4): {(*PEOPLE, ALL): Volume(30, 3_000, at(1))},
        at(8): {(*PEOPLE, ALL): Volume(10, 1_000, at(4))},
        at(12): {},
    }
    assert days == {T0 + DAY: {(*PEOPLE, ALL): Volume(40, 4_000, at(1))}}
    assert ledger.volumes.begun() == T0 + DAY


def test_o1_kinds_are_counted_once_though_a_plan_is_sealed_twice_or_has_several_files(
    ledger: Ledger,
) -> None:
    register(ledger, "acme")
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    plan = open_plan(ledger, lease, 2)
    full = replace(sealed(plan, 3), counts=COUNTS)
    ledger.plans.seal(lease, [full], at(2))
    seal_and_deliver(ledger, lease, full, step=2)
    before = ledger.volumes.of(DAY, [T0 + DAY])
    commit(ledger, lease, plan, step=2)

    (found,) = ledger.volumes.of(DAY, [T0 + DAY]).values()

    assert before == {T0 + DAY: {}}
    assert {kind: one.rows for (_, _, kind), one in found.items()} == {
        ALL: 30,
        PERSON: 8,
        NOBODY: 2,
        EVENT + "signed_up": 4,
    }
    assert all(kind == ALL for _, _, kind in ledger.volumes.of(HOUR, [at(4)])[at(4)])


def test_o1_what_is_given_up_or_sent_again_from_quarantine_is_not_counted(ledger: Ledger) -> None:
    register(ledger, "acme")
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    given_up = open_plan(ledger, lease, 2)
    ledger.plans.seal(lease, [sealed(given_up)], at(2))
    ledger.plans.abandon(lease, given_up, void=True, now=at(2))
    again = ledger.plans.open(lease, [draft(state(ledger), cut(1), Mode.RETRY)], at(3))[0]
    seal_and_deliver(ledger, lease, sealed(again), step=3)
    commit(ledger, lease, again, step=3)

    assert ledger.volumes.of(DAY, [T0 + DAY]) == {T0 + DAY: {}}


def test_o1_volumes_are_kept_for_their_time(ledger: Ledger) -> None:
    register(ledger, "acme")
    lease = claim(ledger)
    for step in (1, 2, 8, 96 + 2):
        deliver(ledger, lease, step)
    before = T0 + timedelta(hours=2)

    assert prune(ledger.database, T0 - DAY, (), before).volumes == 1
    assert prune(ledger.database, T0 - DAY, (), T0 + DAY + HOUR).volumes == 2
    assert ledger.volumes.begun() == T0 + 2 * DAY
    assert list(ledger.volumes.of(HOUR, [at(100)])[at(100)]) == [(*PEOPLE, ALL)]


def test_the_last_hour_and_day_that_are_over() -> None:
    assert ended(T0 + timedelta(minutes=59), HOUR) == T0
    assert ended(T0 + HOUR, HOUR) == T0 + HOUR
    assert ended(T0 + timedelta(hours=25), DAY) == T0 + DAY


@pytest.mark.parametrize(
    "names",
    [("n" * 80, "n" * 80), ("a\x00b", "a\x00c"), ("it's", 'say "hi" \\')],
    ids=["alike", "nul", "quoted"],
)
def test_o1_no_name_of_an_event_keeps_a_window_from_being_committed(
    ledger: Ledger, names: tuple[str, str]
) -> None:
    register(ledger, "acme")
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    plan = open_plan(ledger, lease, 2)
    full = replace(sealed(plan), counts=tuple((EVENT + name, 2) for name in names))
    seal_and_deliver(ledger, lease, full, step=2)

    commit(ledger, lease, plan, step=2)

    (found,) = ledger.volumes.of(DAY, [T0 + DAY]).values()
    assert sum(one.rows for (_, _, kind), one in found.items() if kind != ALL) == 4

"""Plans of several slices: sealed and committed one by one, the position last."""

from dataclasses import replace

import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import DigestMismatch, LedgerError, PositionMoved
from cio_pipeline.model.manifests import VoidSequence
from cio_pipeline.model.plans import (
    Plan,
    PlanState,
    QuarantinedRow,
    SealedFile,
    SealedPlan,
    SentSoFar,
    Series,
)
from cio_pipeline.model.registry import Lease
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    claim,
    commit,
    cut,
    deliver,
    draft,
    file,
    list_voids,
    manifests,
    register,
    seal_and_deliver,
    state,
)


@pytest.fixture(autouse=True)
def registered(ledger: Ledger) -> None:
    register(ledger, "acme", "beta")


def open_sliced(ledger: Ledger, lease: Lease, slices: int = 3) -> Plan:
    upper = ledger.cuts.store(cut(1))
    wanted = replace(draft(state(ledger), upper), slices=slices, slice_rows=100)
    return ledger.plans.open(lease, [wanted], T0)[0]


def next_files(plan: Plan, count: int) -> tuple[SealedFile, ...]:
    sent = plan.sent.files.get(Series.PLAIN, 0)
    return tuple(file(plan, sent + offset) for offset in range(count))


def next_parts(plan: Plan, count: int) -> tuple[SealedFile, ...]:
    sent = plan.sent.files.get(Series.PLAIN, 0)
    number = plan.first[Series.PLAIN]
    return tuple(
        replace(file(plan), key=f"m_{number}_{part}", part=part)
        for part in range(sent + 1, sent + count + 1)
    )


def send(ledger: Ledger, lease: Lease, plan: Plan, files: tuple[SealedFile, ...]) -> Plan:
    sealed = SealedPlan(plan, files)
    seal_and_deliver(ledger, lease, sealed)
    commit(ledger, lease, plan)
    return sealed.rest


def test_the_position_moves_with_the_last_slice_d6(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    for number, files in enumerate((2, 0, 1)):
        known = state(ledger)
        assert (known.position, known.open_plan) == (None, plan)
        assert (plan.slice, plan.state) == (number, PlanState.OPEN)
        assert known.next_sequence[Series.PLAIN] == plan.first[Series.PLAIN] + sum(
            plan.sent.files.values()
        )
        plan = send(ledger, lease, plan, next_files(plan, files))
    known = state(ledger)
    assert (known.position, known.open_plan) == (cut(1), None)
    assert plan.sent == SentSoFar({Series.PLAIN: 3}, 30)
    assert [f.sequence for f in ledger.manifests.files("acme")] == [1, 2, 3]
    assert deliver(ledger, lease, 2).files[0].sequence == 4


def test_manifests_list_the_files_of_committed_slices_alone_d10(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    plan = send(ledger, lease, plan, next_files(plan, 2))
    assert [f.sequence for f in manifests(ledger)[-1].files] == [1, 2]
    files = next_files(plan, 1)
    seal_and_deliver(ledger, lease, SealedPlan(plan, files))
    assert len(manifests(ledger)) == 1
    assert [f.sequence for f in ledger.manifests.files("acme")] == [1, 2]
    commit(ledger, lease, plan)
    assert [f.sequence for f in manifests(ledger)[-1].files] == [3]
    (stands,) = (one.initial for one in manifests(ledger)[-1].exports if one.export == "people")
    assert stands
    assert (stands.done, stands.slices) == (2, 3)


def test_a_sealed_slice_is_sealed_again_with_its_own_digests(ledger: Ledger):
    lease = claim(ledger)
    plan = send(ledger, lease, first := open_sliced(ledger, lease), next_files(first, 2))
    files = next_files(plan, 2)
    ledger.plans.seal(lease, [SealedPlan(plan, files)], T0)
    sealed = replace(plan, state=PlanState.SEALED)
    assert state(ledger).open_plan == sealed
    assert ledger.plans.sealed([sealed]) == {plan.plan_id: files}
    ledger.plans.seal(lease, [SealedPlan(sealed, files)], T0)
    with pytest.raises(DigestMismatch):
        ledger.plans.seal(lease, [SealedPlan(sealed, files[:1])], T0)
    ledger.plans.deliver(lease, [sealed])
    commit(ledger, lease, sealed)
    send(ledger, lease, SealedPlan(plan, files).rest, ())
    committed = ledger.plans.sealed([plan])[plan.plan_id]
    assert [one.sequence for one in committed] == [1, 2, 3, 4]


def test_a_slice_is_neither_sealed_nor_committed_twice(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    after = send(ledger, lease, plan, next_files(plan, 1))
    with pytest.raises(PositionMoved, match="another slice"):
        ledger.plans.seal(lease, [SealedPlan(plan, next_files(plan, 1))], T0)
    ledger.plans.seal(lease, [SealedPlan(after, next_files(after, 1))], T0)
    with pytest.raises(PositionMoved, match="another slice"):
        ledger.plans.deliver(lease, [plan])
    ledger.plans.deliver(lease, [after])
    with pytest.raises(PositionMoved, match="another slice"):
        commit(ledger, lease, plan)
    assert len(ledger.manifests.files("acme")) == 1


def test_parts_are_counted_over_all_slices_within_one_number_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease, slices=4)
    plan = send(ledger, lease, plan, ())
    assert state(ledger).next_sequence[Series.PLAIN] == 1
    for count in (2, 1):
        plan = send(ledger, lease, plan, next_parts(plan, count))
        assert state(ledger).next_sequence[Series.PLAIN] == 2
        assert state(ledger).open_plan == plan
    again = tuple(replace(one, part=3, key="m_1_3b") for one in next_parts(plan, 1))
    with pytest.raises(LedgerError, match="parts 3 to 3, the next one is 4"):
        ledger.plans.seal(lease, [SealedPlan(plan, again)], T0)
    send(ledger, lease, plan, next_parts(plan, 2))
    assert [f.part for f in ledger.manifests.files("acme")] == [1, 2, 3, 4, 5]
    assert deliver(ledger, lease, 2).files[0].sequence == 2


def test_abandoning_voids_the_slice_under_way_and_keeps_what_was_delivered_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    plan = send(ledger, lease, plan, next_files(plan, 2))
    ledger.plans.seal(lease, [SealedPlan(plan, next_files(plan, 1))], T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    list_voids(ledger)
    first, second = manifests(ledger)
    assert [one.sequence for one in first.files] == [1, 2]
    assert (second.files, second.void) == ((), (VoidSequence("people", Series.PLAIN, 3),))
    assert state(ledger).open_plan is None
    assert deliver(ledger, lease, 1).files[0].sequence == 4


def test_abandoning_parts_voids_no_number_that_was_delivered_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    plan = send(ledger, lease, plan, next_parts(plan, 1))
    ledger.plans.seal(lease, [SealedPlan(plan, next_parts(plan, 2))], T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    assert ledger.manifests.waiting().void == set()
    assert [one.part for one in ledger.manifests.files("acme")] == [1]


def test_rows_held_back_in_several_slices_are_counted_together(ledger: Ledger):
    lease = claim(ledger)
    plan = open_sliced(ledger, lease)
    for count in (2, 1, 3):
        rows = (QuarantinedRow(1, '["x"]', "odd", count),)
        ledger.plans.seal(lease, [SealedPlan(plan, (), rows)], T0)
        ledger.plans.seal(lease, [SealedPlan(plan, (), rows)], T0)
        ledger.plans.deliver(lease, [plan])
        commit(ledger, lease, plan)
        plan = SealedPlan(plan, ()).rest
    assert ledger.manifests.bodies("acme") == []
    assert [entry.count for entry in ledger.quarantine.entries()] == [6]


def test_rows_that_a_slice_resolves_are_resolved_once(ledger: Ledger):
    lease = claim(ledger, PEOPLE)
    plan = open_sliced(ledger, lease, slices=2)
    seal_and_deliver(ledger, lease, SealedPlan(plan, (), (), ('["x"]',)))
    commit(ledger, lease, plan)
    plan = SealedPlan(plan, ()).rest
    held = (QuarantinedRow(1, '["x"]', "odd"),)
    seal_and_deliver(ledger, lease, SealedPlan(plan, (), held))
    commit(ledger, lease, plan)
    assert [entry.state for entry in ledger.quarantine.entries(state=None)] == ["open"]

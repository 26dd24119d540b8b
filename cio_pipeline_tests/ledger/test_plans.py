from dataclasses import replace

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import (
    DigestMismatch,
    LeaseLost,
    LedgerError,
    PositionMoved,
    UnknownSync,
)
from cio_pipeline.model.manifests import VoidSequence
from cio_pipeline.model.plans import Mode, Plan, PlanState, SealedPlan, SentSoFar, Series
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    TTL,
    WINDOW,
    at,
    claim,
    commit,
    cut,
    deliver,
    draft,
    file,
    list_voids,
    manifests,
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


def test_a_plan_is_numbered_and_kept_as_it_was_drafted(ledger: Ledger):
    wanted = draft(state(ledger), cut(1))
    (plan,) = ledger.plans.open(claim(ledger), [wanted], T0)
    assert isinstance(plan, Plan)
    assert plan.state is PlanState.OPEN
    assert {name: value for name, value in vars(plan).items() if name in vars(wanted)} == vars(
        wanted
    )
    assert (plan.slices, plan.slice, plan.sent) == (1, 0, SentSoFar())
    assert state(ledger).open_plan == plan


def test_an_open_plan_is_resumed_never_replaced(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    with pytest.raises(PositionMoved, match="unfinished for 'people' of sync 'acme'"):
        open_plan(ledger, lease, 2)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    with pytest.raises(PositionMoved, match="unfinished"):
        open_plan(ledger, lease, 2)
    twice = [draft(state(ledger, EVENTS), cut(1))] * 2
    events = claim(ledger, EVENTS)
    with pytest.raises(PositionMoved, match="two plans"):
        ledger.plans.open(events, twice, T0)


def test_a_plan_needs_the_lease_of_its_pair(ledger: Ledger):
    zombie = claim(ledger)
    claim(ledger, owner="run-2", now=T0 + TTL)
    with pytest.raises(LeaseLost):
        open_plan(ledger, zombie, 1)
    with pytest.raises(LeaseLost):
        open_plan(ledger, claim(ledger, EVENTS), 1)


def test_a_draft_made_from_an_older_state_is_refused_d6(ledger: Ledger):
    lease = claim(ledger)
    before = state(ledger)
    deliver(ledger, lease, 1)
    now = state(ledger)
    stale = [
        draft(before, cut(2)),
        replace(draft(now, cut(2)), generation=2),
        replace(draft(now, cut(2)), first={Series.PLAIN: 1}),
        replace(draft(now, cut(2)), upper=cut(0)),
        draft(now, cut(2), Mode.RETRY),
    ]
    for wanted in stale:
        with pytest.raises(PositionMoved, match="position is another now"):
            ledger.plans.open(lease, [wanted], T0)
    assert state(ledger).open_plan is None


def test_a_plan_for_an_unknown_sync_names_it(ledger: Ledger):
    wanted = replace(draft(state(ledger), cut(1)), sync_id="acne")
    with pytest.raises(UnknownSync, match="Did you mean 'acme'"):
        ledger.plans.open(claim(ledger, ("acne", "people")), [wanted], T0)


def test_a_plan_cannot_have_another_cut_than_the_stored_one(ledger: Ledger):
    ledger.cuts.store(cut(1))
    other = Cut(at(1), {"people": TableCut("id-people", 42)})
    with pytest.raises(LedgerError, match="Another cut is stored for 2026-03-01T00:15"):
        ledger.plans.open(claim(ledger), [draft(state(ledger), other)], T0)


def test_sealing_records_files_and_uses_their_numbers_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    assert ledger.plans.sealed([plan]) == {}
    files = (file(plan, 0), file(plan, 1), file(plan, 0, Series.CHNGS))
    ledger.plans.seal(lease, [SealedPlan(plan, files)], T0)
    assert ledger.plans.sealed([plan]) == {plan.plan_id: files}
    known = state(ledger)
    assert known.next_sequence == {Series.PLAIN: 3, Series.CHNGS: 2}
    assert known.open_plan == replace(plan, state=PlanState.SEALED)
    assert known.position is None


def test_delivering_keeps_what_lies_in_the_bucket_and_moves_nothing_d6(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    with pytest.raises(PositionMoved, match="not delivered or sealed"):
        ledger.plans.deliver(lease, [plan])
    ledger.plans.seal(lease, [sealed(plan)], T0)
    assert ledger.plans.delivered() == []
    for _ in range(2):
        ledger.plans.deliver(lease, [plan])
        known = state(ledger)
        assert known.open_plan == replace(plan, state=PlanState.DELIVERED)
        assert (known.position, known.delivered) == (None, cut(1))
        assert ledger.plans.delivered() == [known.open_plan]
        assert ledger.manifests.files("acme") == []
    with pytest.raises(PositionMoved, match="not open or sealed"):
        ledger.plans.seal(lease, [sealed(plan)], T0)
    with pytest.raises(PositionMoved, match="unfinished"):
        open_plan(ledger, lease, 2)
    commit(ledger, lease, plan)
    assert ledger.plans.delivered() == []


def test_parts_of_an_initial_metrics_export_share_one_number_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    parts = tuple(replace(file(plan), key=f"m_1_{part}", part=part) for part in (1, 2, 3))
    ledger.plans.seal(lease, [SealedPlan(plan, parts)], T0)
    assert ledger.plans.sealed([plan])[plan.plan_id] == parts
    assert state(ledger).next_sequence[Series.PLAIN] == 2


def test_sealing_again_needs_the_same_keys_and_digests(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.seal(lease, [sealed(plan, 2)], T0)
    ledger.plans.seal(lease, [sealed(plan, 2)], at(1))
    assert state(ledger).next_sequence[Series.PLAIN] == 3
    for other in (
        SealedPlan(plan, (file(plan), file(plan, 1, salt="other"))),
        sealed(plan, 1),
        sealed(plan, 3),
    ):
        with pytest.raises(DigestMismatch, match=r"'people' of sync 'acme'.*_[23]\.parquet"):
            ledger.plans.seal(lease, [other], T0)


def test_numbers_are_taken_without_a_gap_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    for offset in (1, -1):
        with pytest.raises(LedgerError, match="next free one is 1"):
            ledger.plans.seal(lease, [SealedPlan(plan, (file(plan, offset),))], T0)
    assert state(ledger).open_plan == plan


def test_a_key_belongs_to_one_plan_of_its_sync(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS, ("beta", "people"))
    one, other = open_plan(ledger, lease, 1), open_plan(ledger, lease, 1, EVENTS)
    ledger.plans.seal(lease, [sealed(one)], T0)
    clash = SealedPlan(other, (file(one),))
    with pytest.raises(LedgerError, match=f"key {file(one).key} of sync 'acme' is planned twice"):
        ledger.plans.seal(lease, [clash], T0)
    beta = open_plan(ledger, lease, 1, ("beta", "people"))
    ledger.plans.seal(lease, [SealedPlan(beta, (file(one),))], T0)
    with pytest.raises(LedgerError, match="planned twice"):
        ledger.plans.seal(lease, [SealedPlan(other, (file(other), file(other)))], T0)


def test_a_retry_stays_at_its_position(ledger: Ledger):
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    retry = draft(state(ledger), cut(1), Mode.RETRY)
    (plan,) = ledger.plans.open(lease, [retry], T0)
    seal_and_deliver(ledger, lease, sealed(plan))
    commit(ledger, lease, plan)
    assert state(ledger).position == cut(1)
    assert [f.mode for f in ledger.manifests.files("acme")] == [Mode.INITIAL, Mode.RETRY]


def test_abandoning_an_open_plan_uses_no_number_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    assert state(ledger).next_sequence[Series.PLAIN] == 1
    assert ledger.manifests.waiting().void == set()
    with pytest.raises(PositionMoved):
        ledger.plans.abandon(lease, plan, void=True, now=T0)
    assert deliver(ledger, lease, 1).files[0].sequence == 1


def test_abandoning_a_sealed_plan_declares_its_numbers_void_d5(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.seal(lease, [sealed(plan, 2)], T0)
    with pytest.raises(LedgerError, match="declared void"):
        ledger.plans.abandon(lease, plan, void=False, now=T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    assert ledger.manifests.waiting().void == {"acme"}
    list_voids(ledger)
    (listed,) = manifests(ledger)
    assert listed.files == ()
    assert listed.void == tuple(VoidSequence("people", Series.PLAIN, n) for n in (1, 2))
    assert ledger.plans.sealed([plan]) == {}
    assert deliver(ledger, lease, 1).files[0].sequence == 3


@pytest.mark.parametrize("steps", range(6))
def test_a_crash_between_any_two_calls_loses_and_doubles_nothing(
    url: str, ledger: Ledger, steps: int
):
    _run_until(ledger, "run-1", steps, minutes=0)
    ledger.close()
    again = open_ledger(url)
    _run_until(again, "run-2", 5, minutes=10)
    known = state(again)
    assert (known.position, known.open_plan) == (cut(1), None)
    assert known.next_sequence[Series.PLAIN] == 2
    assert [f.sequence for f in again.manifests.files("acme")] == [1]
    again.close()


def _run_until(ledger: Ledger, owner: str, steps: int, minutes: int) -> None:
    """What a run does for one pair, stopped after some calls that write."""
    now = T0 + minutes * TTL / 5
    upper = ledger.cuts.store(cut(1))
    if steps < 1:
        return
    lease = claim(ledger, owner=owner, now=now)
    known = state(ledger)
    if steps < 2 or known.position == upper:
        return
    plan = known.open_plan or ledger.plans.open(lease, [draft(known, upper)], now)[0]
    if steps < 3:
        return
    if plan.state is not PlanState.DELIVERED:
        ledger.plans.seal(lease, [sealed(plan)], now)
    if steps < 4:
        return
    ledger.plans.deliver(lease, [plan])
    if steps < 5:
        return
    ledger.plans.commit(lease, [plan], WINDOW, now)


def test_thousands_of_plans_go_in_bulk(ledger: Ledger):
    names = [f"sync-{number:02}" for number in range(80)]
    exports = sorted(EXPORTS)
    register(ledger, *names, exports=exports)
    pairs = [(name, export) for name in names for export in exports]
    lease = claim(ledger, *pairs)
    drafts = [draft(known, cut(1)) for known in ledger.registry.states(exports, names)]
    plans = ledger.plans.open(lease, drafts, T0)
    assert [(plan.sync_id, plan.export) for plan in plans] == pairs
    seal_and_deliver(ledger, lease, *(sealed(plan, 1) for plan in plans))
    assert commit(ledger, lease, *plans) == dict.fromkeys(names, 15)
    states = ledger.registry.states(exports, names)
    assert {known.position.at for known in states if known.position} == {at(1)}
    assert len(ledger.plans.sealed(plans)) == 1_200
    assert [len(manifests(ledger, name)[0].files) for name in names] == [15] * 80

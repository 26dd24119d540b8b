from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.statements import UtcTime
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import UnknownSync
from cio_pipeline.model.plans import Series
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline_tests.ledger.build import (
    T0,
    at,
    claim,
    cut,
    deliver,
    new_generation,
    open_plan,
    register,
    state,
    sync,
)


def test_a_sync_comes_back_as_it_was_put(ledger: Ledger):
    switches = {
        "people": ExportSwitch(enabled=True),
        "events": ExportSwitch(enabled=False, paused_at=at(1), resumed_at=at(-3)),
    }
    put = ledger.registry.put(sync("acme", 2**63 - 1), switches, T0)
    assert put == ledger.registry.get("acme")
    assert (put.sync, put.generation, put.created_at) == (sync("acme", 2**63 - 1), 1, T0)
    assert put.switches == switches


def test_putting_again_keeps_creation_generation_and_other_switches(ledger: Ledger):
    register(ledger, "acme")
    new_generation(ledger)
    off = ExportSwitch(enabled=False, paused_at=at(4))
    again = ledger.registry.put(sync("acme", 7), {"people": off}, at(4))
    assert (again.sync.workspace_id, again.generation, again.created_at) == (7, 2, T0)
    assert again.switches == {"people": off, "events": ExportSwitch(enabled=True)}


def test_all_is_in_the_order_of_ids_on_every_database(ledger: Ledger):
    register(ledger, "b", "a-c", "ab", "a1", "a")
    assert [s.sync.id for s in ledger.registry.all()] == ["a", "a-c", "a1", "ab", "b"]


def test_an_unknown_sync_names_the_known_ones_and_the_closest(ledger: Ledger):
    with pytest.raises(UnknownSync, match="none is registered"):
        ledger.registry.get("acme")
    register(ledger, "acme-s3", "beta-local")
    for ask in (
        lambda: ledger.registry.get("acme-s4"),
        lambda: ledger.registry.states(["people"], ["beta-local", "acme-s4"]),
    ):
        with pytest.raises(UnknownSync) as caught:
            ask()
        assert str(caught.value) == (
            "No sync 'acme-s4' is registered. Did you mean 'acme-s3'? Known: acme-s3, beta-local."
        )


def test_states_of_new_syncs_are_empty_d5_d6(ledger: Ledger):
    register(ledger, "acme", "beta")
    ledger.registry.put(sync("gamma"), {"events": ExportSwitch(enabled=True)}, T0)
    states = ledger.registry.states(["people", "events", "campaigns"])
    assert [(s.sync.id, s.export) for s in states] == [
        ("acme", "events"),
        ("acme", "people"),
        ("beta", "events"),
        ("beta", "people"),
        ("gamma", "events"),
    ]
    assert all(s.position is None and s.open_plan is None for s in states)
    assert all(s.next_sequence == {Series.PLAIN: 1, Series.CHNGS: 1} for s in states)


def test_states_hold_positions_plans_and_numbers(ledger: Ledger):
    register(ledger, "acme", "beta")
    lease = claim(ledger)
    deliver(ledger, lease, 1, count=3)
    plan = open_plan(ledger, lease, 2)
    acme, beta = ledger.registry.states(["people"])
    assert acme.position == cut(1)
    assert acme.open_plan == plan
    assert acme.next_sequence == {Series.PLAIN: 4, Series.CHNGS: 1}
    assert (beta.position, beta.open_plan) == (None, None)


def test_a_new_generation_has_no_position_but_goes_on_counting_d5_d6(ledger: Ledger):
    register(ledger, "acme")
    deliver(ledger, claim(ledger), 1, count=2)
    new_generation(ledger)
    fresh = state(ledger)
    assert fresh.position is None
    assert fresh.next_sequence[Series.PLAIN] == 3
    again = deliver(ledger, claim(ledger), 1)
    assert again.files[0].sequence == 3
    assert state(ledger).position == cut(1)


def test_states_take_the_same_number_of_queries_for_any_number_of_syncs(ledger: Ledger):
    counted: list[str] = []

    def count(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    event.listen(ledger.database.engine, "before_cursor_execute", count)
    needed: list[int] = []
    for number in range(2):
        names = [f"sync-{number}-{i}" for i in range(1 + 60 * number)]
        register(ledger, *names)
        lease = claim(ledger, *((name, "people") for name in names))
        for name in names:
            ledger.plans.advance(lease, [(name, "people")], cut(1), T0)
        counted.clear()
        ledger.registry.states(["people", "events"])
        needed.append(sum("SELECT" in statement for statement in counted))
    assert needed[0] == needed[1] <= 8


def test_cuts_are_parsed_once_and_shared(ledger: Ledger):
    register(ledger, "acme", "beta")
    lease = claim(ledger, ("acme", "people"), ("beta", "people"))
    ledger.plans.advance(lease, list(lease.tokens), cut(1), T0)
    one, two = ledger.registry.states(["people"])
    assert one.position is two.position


def test_a_stored_cut_wins_over_a_later_one(ledger: Ledger):
    assert ledger.cuts.store(cut(2)) == cut(2)
    other = Cut(cut(2).at, {"people": TableCut("id-people", 99)})
    assert ledger.cuts.store(other) == cut(2) == ledger.cuts.get(at(2))
    assert ledger.cuts.get(at(3)) is None


def test_cuts_before_and_after_a_time(ledger: Ledger):
    for step in (1, 3, 5):
        ledger.cuts.store(cut(step))
    assert ledger.cuts.before(at(3)) == cut(1)
    assert ledger.cuts.before(at(4)) == cut(3)
    assert ledger.cuts.after(at(3)) == cut(5)
    assert ledger.cuts.before(at(1)) is None
    assert ledger.cuts.after(at(5)) is None


def test_times_keep_their_microsecond_and_their_instant(ledger: Ledger):
    odd = datetime(2262, 4, 11, 23, 47, 16, 854_775, tzinfo=UTC)
    east = timezone(timedelta(hours=5, minutes=45))
    ledger.registry.put(sync("acme"), {}, odd.astimezone(east))
    assert ledger.registry.get("acme").created_at == odd
    old = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    ledger.cuts.store(Cut(old, {}))
    assert ledger.cuts.get(old) == Cut(old, {})
    with pytest.raises(ValueError, match="aware"):
        UtcTime().bind_processor(ledger.database.engine.dialect)(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test

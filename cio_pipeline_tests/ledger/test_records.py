"""Errors, quarantine and attempts."""

import json
import tracemalloc
import zlib

import polars as pl
import pytest
from sqlalchemy import update

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.schema import gone_people
from cio_pipeline.model.failures import Failing, Failure
from cio_pipeline.model.plans import Mode, Plan, QuarantinedRow, QuarantineEntry
from cio_pipeline.model.registry import Pair
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
    sealed,
    state,
    window,
)

EVENTS = ("acme", "events")
ADA = '["ada", "2026-03-01T00:00:00Z"]'
BOB = '["bob", "2026-03-01T00:00:00Z"]'


@pytest.fixture(autouse=True)
def registered(ledger: Ledger) -> None:
    register(ledger, "acme", "beta")


# --- errors --------------------------------------------------------------------------------


def fail(ledger: Ledger, step: int, *pairs: Pair, message: str = "no space") -> None:
    ledger.failing.record(
        dict.fromkeys(pairs or (PEOPLE,), Failure("DiskFull", message)), window(step)
    )


def test_errors_of_a_window_are_kept_per_pair_the_last_one_counts_o8(ledger: Ledger):
    fail(ledger, 1, PEOPLE, EVENTS)
    fail(ledger, 1, PEOPLE, message="taken\x00 over \ud800")
    assert ledger.failing.of_window(at(1)) == {PEOPLE: "taken over ?", EVENTS: "no space"}
    assert ledger.failing.of_window(at(2)) == {}


def test_a_delivery_overtakes_errors_up_to_its_window(ledger: Ledger):
    pairs = [PEOPLE, EVENTS, ("beta", "people")]
    for step in (1, 2, 3):
        fail(ledger, step, *pairs)
    lease = claim(ledger, PEOPLE, EVENTS)
    deliver(ledger, lease, 2)
    ledger.plans.advance(lease, [EVENTS], cut(1), T0)
    assert set(ledger.failing.of_window(at(1))) == {("beta", "people")}
    assert set(ledger.failing.of_window(at(2))) == {("beta", "people"), EVENTS}
    assert set(ledger.failing.of_window(at(3))) == set(pairs)


def test_an_error_is_one_state_however_many_windows_fail(ledger: Ledger):
    for step in (3, 4, 5, 5, 4, 1):
        fail(ledger, step, message=f"in {step}")
    assert ledger.failing.all() == {PEOPLE: Failing(at(0), at(5), 4, "DiskFull", "in 5")}
    deliver(ledger, claim(ledger), 5)
    assert ledger.failing.all() == {}


def test_an_error_after_the_delivery_stands(ledger: Ledger):
    fail(ledger, 1)
    deliver(ledger, claim(ledger), 1)
    fail(ledger, 1, message="again")
    assert ledger.failing.of_window(at(1)) == {PEOPLE: "again"}


# --- quarantine ----------------------------------------------------------------------------


def hold_back(ledger: Ledger, step: int, *rows: QuarantinedRow, resolved: str = "") -> Plan:
    lease = claim(ledger)
    plan = open_plan(ledger, lease, step)
    full = sealed(plan, 1, rows, (resolved,) if resolved else ())
    ledger.plans.seal(lease, [full], T0)
    ledger.plans.seal(lease, [full], T0)
    ledger.plans.deliver(lease, [plan])
    commit(ledger, lease, plan)
    return plan


def states(ledger: Ledger) -> list[tuple[str, str, int, str]]:
    return [(e.identity, e.reason, e.count, e.state) for e in ledger.quarantine.entries(state=None)]


def test_a_quarantined_row_is_listed_with_its_reason_o1(ledger: Ledger):
    hold_back(ledger, 1, QuarantinedRow(1, ADA, "email is null", 2))
    (entry,) = ledger.quarantine.entries()
    assert entry == QuarantineEntry(
        entry.entry_id, "acme", "people", 1, ADA, "email is null", 2, at(1), "open"
    )
    assert ledger.quarantine.entries(["beta"]) == []
    assert ledger.quarantine.entries(["acme"], "sent") == []


def test_a_row_that_is_still_broken_keeps_its_entry(ledger: Ledger):
    hold_back(ledger, 1, QuarantinedRow(1, ADA, "a", 2), QuarantinedRow(1, ADA, "b"))
    (first, other) = ledger.quarantine.entries()
    hold_back(ledger, 2, QuarantinedRow(1, ADA, "a", 1), QuarantinedRow(1, BOB, "a"))
    found = ledger.quarantine.entries()
    assert [(e.identity, e.reason, e.count) for e in found] == [
        (ADA, "a", 1),
        (ADA, "b", 1),
        (BOB, "a", 1),
    ]
    assert [found[0].entry_id, found[1].entry_id] == [first.entry_id, other.entry_id]
    assert (found[0].window_end, found[1].window_end) == (at(2), at(1))


def test_a_later_changeset_supersedes_and_a_retry_sends(ledger: Ledger):
    hold_back(ledger, 1, QuarantinedRow(1, ADA, "a"), QuarantinedRow(1, BOB, "a"))
    hold_back(ledger, 2, resolved=ADA)
    assert states(ledger) == [(ADA, "a", 1, "superseded"), (BOB, "a", 1, "open")]
    lease = claim(ledger)
    (plan,) = ledger.plans.open(lease, [draft(state(ledger), cut(2), Mode.RETRY)], T0)
    ledger.plans.seal(lease, [sealed(plan, 1, (), (BOB,))], T0)
    ledger.plans.deliver(lease, [plan])
    assert states(ledger)[1] == (BOB, "a", 1, "open")
    commit(ledger, lease, plan)
    assert states(ledger)[1] == (BOB, "a", 1, "sent")
    assert ledger.quarantine.entries() == []


def test_a_row_that_breaks_again_after_it_was_sent_is_a_new_entry(ledger: Ledger):
    hold_back(ledger, 1, QuarantinedRow(1, ADA, "a"))
    hold_back(ledger, 2, resolved=ADA)
    hold_back(ledger, 3, QuarantinedRow(1, ADA, "a", 5))
    assert states(ledger) == [(ADA, "a", 1, "superseded"), (ADA, "a", 5, "open")]


def test_a_plan_does_not_resolve_what_it_holds_back_itself(ledger: Ledger):
    hold_back(ledger, 1, QuarantinedRow(1, ADA, "a"))
    hold_back(ledger, 2, QuarantinedRow(1, ADA, "a"), resolved=ADA)
    assert [(e.identity, e.window_end) for e in ledger.quarantine.entries()] == [(ADA, at(2))]


def test_an_identity_can_be_long(ledger: Ledger):
    name = f'["{"x" * 50_000}"]'
    hold_back(ledger, 1, QuarantinedRow(1, name, "a"))
    hold_back(ledger, 2, resolved=name)
    assert [state for *_, state in states(ledger)] == ["superseded"]


# --- attempts ------------------------------------------------------------------------------


def test_attempts_are_counted_per_lane_and_key(ledger: Ledger):
    assert [ledger.attempts.next("tick", "w1", at(n)) for n in range(3)] == [1, 2, 3]
    assert ledger.attempts.next("initial", "w1", at(9)) == 1
    assert ledger.attempts.counts("tick", ["w1", "w2"]) == {"w1": (3, at(2))}
    assert ledger.attempts.counts("tick", []) == {}


# --- who was gone ----------------------------------------------------------------------------


def test_d4_who_was_gone_is_kept_once_per_workspace_and_cut(ledger: Ledger):
    ids = ["ada", 'b"o\\b', ", ", 'a", ', ",\n", "[", "\u00e9\n"]
    ledger.gone.keep(at(1), {1: ids, 2: []})
    ledger.gone.keep(at(1), {1: ["somebody else"], 3: ["cid"]})
    ledger.gone.keep(at(2), {1: ["dan"]})
    ledger.gone.keep(at(2), {1: ["eve"], 4: ["fay"]}, "events", "7.0")
    ledger.gone.keep(at(2), {1: ["gus"]}, "events", "7.1")

    assert set(ledger.gone.kept([(n, at(1)) for n in (1, 2, 4)])) == {1, 2}
    assert set(ledger.gone.kept([(n, at(2)) for n in (1, 4)])) == {1}

    def told(wanted: dict[int, int], export: str) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        times = [(workspace, at(hour)) for workspace, hour in wanted.items()]
        for workspace, person in pl.concat(ledger.gone.of(times, export)).iter_rows():
            found.setdefault(workspace, []).append(person)
        return {workspace: sorted(people) for workspace, people in found.items()}

    assert told({1: 1, 2: 1, 4: 1}, "events") == {1: sorted(ids)}
    assert told({1: 2, 3: 1}, "metrics") == {1: ["dan"], 3: ["cid"]}
    assert told({1: 2, 4: 2}, "events") == {1: ["dan", "eve", "gus"], 4: ["fay"]}
    before = zlib.compress(json.dumps(ids).encode())
    ledger.gone.database.write(
        lambda connection: connection.execute(
            update(gone_people).where(gone_people.c.workspace_id == 1).values(people=before)
        )
    )
    assert told({1: 1}, "events") == {1: sorted(ids)}
    many = {workspace: [f"p{workspace}"] for workspace in range(1, 26)}
    ledger.gone.keep(at(3), many)
    assert told(dict.fromkeys(many, 3), "events") == many
    assert told({}, "events") == {}


def test_d4_few_workspaces_gone_people_are_held_at_a_time(ledger: Ledger):
    """A million of them took 191 MiB for each export of a window."""
    workspaces = range(1, 21)
    for place in workspaces:
        ledger.gone.keep(at(1), {place: [f"{place}-{person:032}" for person in range(20_000)]})
    ledger.gone.keep(at(1), {99: [f"{person:0200}" for person in range(200_000)]})
    tracemalloc.start()
    try:
        wanted = [(place, at(1)) for place in (*workspaces, 99)]
        read = sum(people.height for people in ledger.gone.of(wanted, "events"))
        assert read == 20 * 20_000 + 200_000
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_d4_a_state_tells_when_its_first_files_were_made(ledger: Ledger):
    assert state(ledger).begun is None
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    deliver(ledger, lease, 2)
    assert state(ledger).begun == at(1)

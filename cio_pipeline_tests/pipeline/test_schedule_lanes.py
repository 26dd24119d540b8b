"""The lanes beside the ticks: manifests, syncs that fail or are slow."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.plans import Mode, PlanState
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.windows import data_out_window
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import (
    wanted_runs,
)
from cio_pipeline_tests.monitoring.test_delivery import open_plan
from cio_pipeline_tests.pipeline.test_schedule import NOON, NOTHING_SEEN, QUARTER, failing, state


def test_d10_files_without_a_manifest_want_a_run_of_the_manifests_alone() -> None:
    seen = Seen({}, {}, (), uncommitted={"b", "a"})
    (request,) = wanted_runs([state()], seen, NOON + timedelta(minutes=1))
    assert request.lane is Lane.MANIFEST
    assert request.sync_ids == ("a", "b")
    assert request.window == data_out_window(NOON - QUARTER)
    assert request.run_key == "manifest:2026-11-22-11:45:a:1"


def test_d10_syncs_that_are_off_have_their_files_listed_too() -> None:
    off = ExportSwitch(enabled=False, paused_at=NOON)
    (request,) = wanted_runs([state(switch=off)], Seen({}, {}, (), uncommitted={"a"}), NOON)
    assert request.lane is Lane.MANIFEST


@pytest.mark.parametrize(
    "running",
    [
        (Lane.TICK, "2026-11-22-11:45"),
        (Lane.ALL, "2026-11-22-11:00"),
        (Lane.INITIAL, "a"),
        (Lane.MANIFEST, "a"),
    ],
)
def test_d10_no_manifest_is_asked_for_while_a_run_will_write_it(running: tuple[Lane, str]) -> None:
    seen = Seen({}, {}, {running}, uncommitted={"a"})
    assert wanted_runs([state()], seen, NOON + timedelta(minutes=1)) == []


def test_d10_no_manifest_is_asked_for_beside_a_tick_that_will_write_it() -> None:
    requests = wanted_runs([state()], Seen({}, {}, (), uncommitted={"a"}), NOON + QUARTER)
    assert [request.lane for request in requests] == [Lane.TICK]


def test_d10_an_initial_run_of_another_sync_does_not_hold_manifests_up() -> None:
    seen = Seen({}, {}, {(Lane.INITIAL, "b")}, uncommitted={"a", "b"})
    (request,) = wanted_runs([state()], seen, NOON + timedelta(minutes=1))
    assert request.sync_ids == ("a",)


@pytest.mark.parametrize(("waited", "runs"), [(QUARTER, 1), (timedelta(0), 0)])
def test_d10_a_long_initial_export_does_not_hold_up_what_was_delivered(
    waited: timedelta, runs: int
) -> None:
    """Its run comes to its manifest once all of the sync's exports are through."""
    plan = replace(open_plan("a", "people", Mode.INITIAL), state=PlanState.DELIVERED)
    people = replace(state(position=None), open_plan=replace(plan, upper=Cut(NOON - waited, {})))
    states = [people, state(export="metrics", position=None)]
    seen = Seen({}, {}, {(Lane.INITIAL, "a")}, uncommitted={"a"})
    requests = wanted_runs(states, seen, NOON + timedelta(minutes=1))
    assert [request.lane for request in requests] == [Lane.MANIFEST] * runs


def test_d10_a_manifest_that_failed_in_a_window_is_outstanding_in_the_next() -> None:
    now = NOON + timedelta(minutes=1)
    failed = {("a", CHAIN): failing(NOON)}
    off = state(switch=ExportSwitch(enabled=False, paused_at=NOON))
    assert wanted_runs([off], Seen(failed, {}, (), uncommitted={"a"}), now) == []
    assert len(wanted_runs([off], Seen(failed, {}, (), uncommitted={"a"}), now + QUARTER)) == 1


def test_d10_a_manifest_run_that_died_is_tried_again_after_a_growing_wait() -> None:
    tried = {(Lane.MANIFEST, "a"): (2, NOON)}
    seen = Seen({}, tried, (), uncommitted={"a"})
    assert wanted_runs([state()], seen, NOON + timedelta(seconds=59)) == []
    (request,) = wanted_runs([state()], seen, NOON + timedelta(seconds=60))
    assert request.attempt == 3


def breakers(state: BreakerState, until: datetime) -> dict[str, Breaker]:
    return {"a": Breaker("a", state, 3, NOON, until, "run", "Unreachable", "No answer.")}


def test_o8_no_initial_run_is_asked_for_while_a_breaker_is_open() -> None:
    """A dead sync takes no place in the initial lane; the others have their runs."""
    states = [state("a", position=None), state("b", position=None)]
    now = NOON + QUARTER
    for held in (
        breakers(BreakerState.FAILING, now + QUARTER),
        breakers(BreakerState.STOPPED, NOON),
    ):
        (request,) = wanted_runs(states, replace(NOTHING_SEEN, breakers=held), now)
        assert request.sync_ids == ("b",)
    trial = breakers(BreakerState.FAILING, now)
    (request,) = wanted_runs(states, replace(NOTHING_SEEN, breakers=trial), now)
    assert request.sync_ids == ("a", "b")


def test_o8_ticks_are_asked_for_with_an_open_breaker_so_that_checks_tell_of_it() -> None:
    held = breakers(BreakerState.STOPPED, NOON)
    (request,) = wanted_runs([state()], replace(NOTHING_SEEN, breakers=held), NOON + QUARTER)
    assert request.lane is Lane.TICK


def test_o8_a_slow_sync_gets_a_run_of_its_own_in_each_window_and_delays_no_tick() -> None:
    now = NOON + QUARTER
    seen = replace(NOTHING_SEEN, breakers=breakers(BreakerState.SLOW, now + timedelta(hours=1)))
    tick, slow = wanted_runs([state("a"), state("b")], seen, now)
    assert (tick.lane, slow.lane, slow.sync_ids) == (Lane.TICK, Lane.SLOW, ("a",))
    under_way = replace(seen, running={(Lane.SLOW, "a")})
    assert [one.lane for one in wanted_runs([state("a")], under_way, now)] == []
    tried = replace(seen, attempts={(Lane.SLOW, "a"): (9, now)})
    assert wanted_runs([state("a")], tried, now + timedelta(minutes=1)) == []
    (again,) = wanted_runs([state("a")], tried, now + QUARTER)
    assert again.run_key == "slow:2026-11-22-12:15:a:10"

"""The sensor's decision, case by case."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.model.registry import ExportState, ExportSwitch, Pair, RegisteredSync
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window, closed_windows, data_out_window
from cio_pipeline.pipeline.scheduling import schedule
from cio_pipeline.pipeline.scheduling.run_request import Request, Seen
from cio_pipeline.pipeline.scheduling.schedule import (
    MAX_SYNCS,
    MAX_TICKS,
    unsettled_windows,
    wanted_runs,
)
from cio_pipeline_tests.monitoring.test_delivery import open_plan

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ON = ExportSwitch(enabled=True)
NOTHING_SEEN = Seen({}, {}, frozenset())


def state(
    sync_id: str = "a",
    export: str = "people",
    *,
    position: datetime | None = NOON,
    created_at: datetime = NOON - timedelta(days=1),
    cadence: str = "15m",
    switch: ExportSwitch = ON,
) -> ExportState:
    sync = Sync.model_validate(
        {
            "id": sync_id,
            "workspace_id": 1,
            "cadence": cadence,
            "destination": {"type": "local", "path": sync_id},
        }
    )
    registered = RegisteredSync(sync, 1, created_at, {export: switch})
    cut = None if position is None else Cut(position, {})
    numbers = {Series.PLAIN: 1, Series.CHNGS: 1}
    return ExportState(registered, export, switch, cut, None, numbers)


def failing(at: datetime, *, since: datetime | None = None) -> Failing:
    return Failing(since or at - QUARTER, at, 1, "Unreachable", "No answer.")


def errors(*found: tuple[str, datetime]) -> Mapping[Pair, Failing]:
    return {(sync_id, "people"): failing(at) for sync_id, at in found}


def keys(requests: list[Request]) -> list[str]:
    return [request.run_key for request in requests]


def test_nothing_is_wanted_while_the_window_is_open() -> None:
    assert wanted_runs([state()], NOTHING_SEEN, NOON + QUARTER - timedelta(seconds=1)) == []


def test_a_closed_window_that_is_not_settled_is_wanted() -> None:
    (request,) = wanted_runs([state()], NOTHING_SEEN, NOON + QUARTER)
    assert request.run_key == "tick:2026-11-22-12:00:1"
    assert (request.lane, request.sync_ids) == (Lane.TICK, ())


def test_after_an_outage_windows_come_oldest_first_and_a_few_at_a_time() -> None:
    requests = wanted_runs([state()], NOTHING_SEEN, NOON + timedelta(hours=10))
    assert len(requests) == MAX_TICKS
    assert requests[0].window == data_out_window(NOON)
    assert requests == sorted(requests, key=lambda request: request.window)


def test_a_window_is_settled_once_the_failing_sync_has_an_error_in_it() -> None:
    states = [state("a", position=NOON + QUARTER), state("b", position=NOON)]
    now = NOON + QUARTER
    assert len(wanted_runs(states, NOTHING_SEEN, now)) == 1
    assert wanted_runs(states, Seen(errors(("b", now)), {}, ()), now) == []


def test_what_failed_is_outstanding_in_the_next_window() -> None:
    seen = Seen(errors(("a", NOON + QUARTER)), {}, ())
    (request,) = wanted_runs([state()], seen, NOON + 2 * QUARTER)
    assert request.window == data_out_window(NOON + QUARTER)


def test_later_failures_settle_no_earlier_window_and_unsettle_none() -> None:
    """The state tells the same windows as a log of every failed window would."""
    chance = Random(13)  # noqa: S311 - no secret
    ends = [NOON + n * QUARTER for n in range(1, 30)]
    for _ in range(50):
        position, log, told = NOON, set[datetime](), None
        for end in ends[: chance.randrange(2, len(ends))]:
            match chance.choice(["delivered", "failed", "failed", "failed"]):
                case "delivered":
                    position, told = end, None
                case _:
                    log.add(end)
                    told = failing(end, since=told.since if told else end - QUARTER)
        found = {("a", "people"): told} if told else {}
        unsettled = unsettled_windows([state(position=position)], found, ends[-1])
        assert {one.end for one in unsettled} == {
            end for end in ends if end > position and end not in log
        }
    before = failing(NOON + 6 * QUARTER, since=NOON + 3 * QUARTER)
    never = unsettled_windows([state()], {("a", "people"): before}, NOON + 7 * QUARTER)
    assert sorted(one.end for one in never) == [NOON + n * QUARTER for n in (1, 2, 3, 7)]


def test_a_sync_that_fails_for_months_costs_a_look_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows made while 50 syncs x 15 exports stood for 60 days: 4.3 million errors once."""
    now = NOON + timedelta(days=60)
    stands = [state(f"s{n}", position=NOON + timedelta(seconds=n)) for n in range(50)]
    found = {(one.sync.id, "people"): failing(now, since=NOON) for one in stands}
    made: list[Window] = []

    def counted(*given: Any) -> list[Window]:
        made.extend(windows := closed_windows(*given))
        return windows

    monkeypatch.setattr(schedule, "closed_windows", counted)
    assert unsettled_windows(stands, found, now + QUARTER) == {data_out_window(now)}
    assert len(made) == 50


def test_a_window_that_is_running_is_not_asked_for_again() -> None:
    seen = Seen({}, {}, {(Lane.TICK, "2026-11-22-12:00")})
    assert wanted_runs([state()], seen, NOON + QUARTER) == []


def test_a_failed_run_is_tried_again_under_a_new_key_after_a_growing_wait() -> None:
    key, now = (Lane.TICK, "2026-11-22-12:00"), NOON + QUARTER
    for count, wait in [(1, 30), (2, 60), (3, 120), (4, 240)]:
        seen = Seen({}, {key: (count, now)}, ())
        early = wanted_runs([state()], seen, now + timedelta(seconds=wait - 1))
        assert not any(key.startswith("tick:2026-11-22-12:00") for key in keys(early))
        again = wanted_runs([state()], seen, now + timedelta(seconds=wait))
        assert f"tick:2026-11-22-12:00:{count + 1}" in keys(again)


def test_the_wait_for_another_try_is_bounded() -> None:
    key, now = (Lane.INITIAL, "a"), NOON
    waiting = [state(position=None)]
    seen = Seen({}, {key: (20, now)}, ())
    assert wanted_runs(waiting, seen, now + timedelta(seconds=1799)) == []
    assert len(wanted_runs(waiting, seen, now + timedelta(seconds=1800))) == 1


def test_a_window_tried_in_vain_is_carried_by_the_next_one_that_is_due() -> None:
    """A source that stays broken costs one run at a time, not one per window since it broke."""
    now = NOON + 3 * QUARTER
    tried = {(Lane.TICK, data_out_window(NOON + n * QUARTER).key): (1, NOON) for n in range(3)}
    assert keys(wanted_runs([state()], Seen({}, tried, ()), now)) == ["tick:2026-11-22-12:30:2"]
    never = dict([*tried.items()][1:])
    assert keys(wanted_runs([state()], Seen({}, never, ()), now)) == [
        "tick:2026-11-22-12:00:1",
        "tick:2026-11-22-12:30:2",
    ]


def test_o5_an_hourly_window_tried_in_vain_is_tried_until_the_next_hour() -> None:
    """The quarters in between are not due for the sync: they would not carry its work."""
    hour = data_out_window(NOON + 3 * QUARTER)
    tried = {(Lane.TICK, hour.key): (1, NOON)}
    requests = wanted_runs([state(cadence="1h")], Seen({}, tried, ()), NOON + 6 * QUARTER)
    assert keys(requests) == [f"tick:{hour.key}:2"]


def test_a_new_export_gets_an_initial_run_of_its_sync_in_the_last_closed_window() -> None:
    now = NOON + timedelta(minutes=20)
    (request,) = wanted_runs([state(position=None)], NOTHING_SEEN, now)
    assert request.lane is Lane.INITIAL
    assert request.sync_ids == ("a",)
    assert request.window == data_out_window(NOON)


def test_d6_windows_before_a_sync_was_created_are_no_work() -> None:
    created = NOON + timedelta(minutes=16)
    waiting = state(position=None, created_at=created)
    assert wanted_runs([waiting], NOTHING_SEEN, NOON + timedelta(minutes=20)) == []
    (request,) = wanted_runs([waiting], NOTHING_SEEN, NOON + timedelta(minutes=31))
    assert request.window == data_out_window(created)


def test_an_initial_export_neither_delays_nor_widens_ticks() -> None:
    states = [state("a", position=None), state("b")]
    lanes = [request.lane for request in wanted_runs(states, NOTHING_SEEN, NOON + QUARTER)]
    assert lanes == [Lane.INITIAL, Lane.TICK]


def test_a_resumed_export_is_caught_up_in_the_initial_lane() -> None:
    resumed = ExportSwitch(enabled=True, paused_at=NOON, resumed_at=NOON + timedelta(minutes=50))
    (request,) = wanted_runs([state(switch=resumed)], NOTHING_SEEN, NOON + timedelta(hours=1))
    assert request.lane is Lane.INITIAL


def test_a_resumed_export_waits_for_a_window_that_ends_after_its_position() -> None:
    """Until then it stays fresh, and a run of the window that it already has would be in vain."""
    resumed = ExportSwitch(enabled=True, paused_at=NOON, resumed_at=NOON + timedelta(minutes=5))
    assert wanted_runs([state(switch=resumed)], NOTHING_SEEN, NOON + timedelta(minutes=6)) == []
    (request,) = wanted_runs([state(switch=resumed)], NOTHING_SEEN, NOON + QUARTER)
    assert request.lane is Lane.INITIAL


def test_d7_windows_that_ended_in_a_pause_are_asked_for_only_to_finish_what_was_left_open() -> None:
    """Every such run would be in vain, and the one that counts would wait longer for each."""
    now = NOON + timedelta(minutes=21)
    resumed = ExportSwitch(enabled=True, paused_at=NOON, resumed_at=now - timedelta(minutes=1))
    caught_up = state(switch=resumed)
    unfinished = replace(caught_up, open_plan=open_plan("a", "people", Mode.CHANGES))
    assert wanted_runs([caught_up], NOTHING_SEEN, now) == []
    (request,) = wanted_runs([unfinished], NOTHING_SEEN, now)
    assert request.lane is Lane.INITIAL
    assert wanted_runs([caught_up], NOTHING_SEEN, NOON + 2 * QUARTER) != []


def test_an_export_that_is_off_wants_nothing() -> None:
    off = ExportSwitch(enabled=False, paused_at=NOON)
    assert wanted_runs([state(switch=off)], NOTHING_SEEN, NOON + timedelta(hours=1)) == []


def test_o5_an_hourly_sync_wants_only_windows_that_end_on_the_hour() -> None:
    now = NOON + timedelta(hours=2)
    windows = [r.window.end for r in wanted_runs([state(cadence="1h")], NOTHING_SEEN, now)]
    assert windows == [NOON + timedelta(hours=1), NOON + timedelta(hours=2)]


def test_initial_runs_serve_a_bounded_batch_of_syncs_under_distinct_keys() -> None:
    states = [state(f"s{n:03}", position=None) for n in range(2 * MAX_SYNCS + 1)]
    requests = wanted_runs(states, NOTHING_SEEN, NOON)
    assert [len(request.sync_ids) for request in requests] == [MAX_SYNCS, MAX_SYNCS, 1]
    assert len(set(keys(requests))) == 3


def test_a_sync_whose_initial_run_is_under_way_is_not_asked_for_again() -> None:
    seen = Seen({}, {}, {(Lane.INITIAL, "a")})
    assert wanted_runs([state(position=None)], seen, NOON) == []


def test_o5_a_daily_sync_that_missed_its_window_is_caught_up_by_the_one_window() -> None:
    """After an outage of days each missed window is asked for once, oldest first."""
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    daily = state(position=midnight, cadence="1d", created_at=midnight - timedelta(days=1))
    found = wanted_runs([daily], NOTHING_SEEN, midnight + timedelta(days=2, hours=5))
    assert [one.window.end.day for one in found] == [21, 22]

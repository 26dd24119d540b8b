"""D7: pausing and resuming, by hand and by the sync file."""

from datetime import datetime, timedelta
from itertools import count

import pytest

from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import parse_time, window_holding
from cio_pipeline.pipeline.breaker import after
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.apply import Applied, apply_syncs
from cio_pipeline.pipeline.lifecycle.purge import recreate
from cio_pipeline.pipeline.lifecycle.switches import pause, resume
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import wanted_runs
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.lifecycle.doing import do, standing
from cio_pipeline_tests.recovery.loss import DieAfter, change, go_on
from cio_pipeline_tests.world import NOON, QUARTER, World, during, window

DAY = timedelta(days=1)
PAUSED = during(1)


def apply(world: World, at: datetime, **fields: object) -> Applied:
    sync = standing(world).sync.model_copy(update=fields)
    return apply_syncs(world.services, [sync], lambda one: ("local", one.id), at)[0]


def test_d7_people_off_for_more_than_7_days_cannot_be_resumed_and_recreate_is_named(
    world: World,
) -> None:
    world.sync(exports=["people", "events"])
    go_on(world, range(1))
    do(world, pause, "people", at=PAUSED)
    with pytest.raises(InvalidConfig, match=r"more than 7 days.*sync recreate a") as caught:
        do(world, resume, at=PAUSED + 7 * DAY + timedelta(microseconds=1))
    assert "Other exports can be resumed" in str(caught.value)
    assert not standing(world).switches["people"].enabled

    do(world, resume, at=PAUSED + 7 * DAY)
    assert standing(world).switches["people"].enabled


def test_d7_the_sync_file_cannot_resume_them_either_but_after_recreating(world: World) -> None:
    world.sync(exports=["people", "events"])
    go_on(world, range(1))
    apply(world, PAUSED, exports=("events",))
    with pytest.raises(InvalidConfig, match="sync recreate a"):
        apply(world, PAUSED + 8 * DAY, exports=("events", "people"))
    assert standing(world).sync.exports == ("events",)

    do(world, recreate, at=PAUSED + 8 * DAY)
    found = apply(world, PAUSED + 8 * DAY, exports=("events", "people"))
    assert found.changes == ("people on",)


def test_d7_people_that_were_never_sent_may_be_turned_on_at_any_time(world: World) -> None:
    world.sync(exports=["people", "events"])
    do(world, pause, "people", at=PAUSED)
    assert do(world, resume, at=PAUSED + 30 * DAY).changed == ("people on",)


def test_d7_the_gap_of_events_off_for_more_than_30_days_is_told_on_resuming(world: World) -> None:
    world.sync(exports=["events"])
    go_on(world, range(1))
    do(world, pause, at=PAUSED)
    assert do(world, resume, at=PAUSED + 30 * DAY).notes == ()
    do(world, pause, at=PAUSED + 30 * DAY)
    at = PAUSED + 61 * DAY
    (note,) = do(world, resume, at=at).notes
    edge = window_holding(at, Feed.DATA_OUT).end - 30 * DAY
    assert f"from {utc(window(0).end)} to {utc(edge)} is never sent" in note


@pytest.mark.parametrize("export", ["events", "inbound"])
@pytest.mark.parametrize("cadence", ["15m", "1h", "1d"])
@pytest.mark.parametrize("late", [0, 96], ids=["in time", "a day late"])
def test_d7_the_gap_that_is_told_is_the_gap_that_is_left(
    world: World, export: str, cadence: str, late: int
) -> None:
    """D27: however late the window is that catches up, and however rarely the sync is served."""
    world.sync(exports=[export], cadence=cadence)
    world.commit(export, {"event_id": "first", "processed_at": NOON}, at=during(0))
    world.run(due_after(0, cadence), export)
    do(world, pause, at=world.now)
    at = world.now + 40 * DAY + timedelta(minutes=7)
    (note,) = do(world, resume, at=at).notes
    edge = parse_time(note.split(" to ")[1].split(" UTC is never")[0].replace(" ", "T"))
    tick = timedelta(microseconds=1)
    rows = {"before": edge - tick, "at the edge": edge, "after": edge + tick}
    made = ({"event_id": name, "processed_at": time} for name, time in rows.items())
    world.commit(export, *made, at=world.now)
    world.run(due_after((at - NOON) // QUARTER + late, cadence), export)
    assert sorted(world.read(export)["event_id"]) == ["after", "at the edge", "first"]


def due_after(number: int, cadence: str) -> int:
    """The first window from a number on that a sync is served in."""
    return next(n for n in count(number) if window(n).due(Cadence(cadence)))


@pytest.mark.parametrize("paused", [["people"], ["people", "events"]])
def test_d7_resuming_a_stopped_sync_leaves_off_what_was_paused_unless_all_of_it_was(
    world: World, paused: list[str]
) -> None:
    """Who has mended a key does not mean the export that was paused last month."""
    world.sync(exports=["people", "events"])
    refused = after(
        None,
        Outcome("a", "people", 1, None, error=Failure("Refused", "", trip=Trip.REFUSED)),
        "run",
        PAUSED,
    )
    assert refused is not None
    world.ledger.breakers.put([refused])
    do(world, pause, *paused, at=PAUSED)

    report = do(world, resume, at=PAUSED)

    assert world.ledger.breakers.all() == {}
    if len(paused) == 1:
        assert report.changed == ("breaker closed",)
        assert (
            "people stays off; `cio-pipeline sync resume a --export people` turns it on."
            in report.notes
        )
    else:
        assert report.changed == ("breaker closed", "people on", "events on")


def test_a_file_applied_again_leaves_alone_what_was_switched_by_hand(world: World) -> None:
    world.sync(exports="all")
    do(world, pause, "events", at=PAUSED)

    found = apply(world, during(2), owner="data@acme.example")

    assert found.changes == ("owner",)
    assert not standing(world).switches["events"].enabled
    assert "events stays off" in found.notes[0]
    assert "sync resume a --export events" in found.notes[0]


def test_a_file_whose_exports_changed_turns_those_that_changed_only(world: World) -> None:
    world.sync(exports=["people", "events", "metrics"])
    do(world, pause, "events", at=PAUSED)
    do(world, resume, "outputs", at=PAUSED)

    found = apply(world, during(2), exports=("people", "events", "subjects"))

    assert set(found.changes) == {"metrics off", "subjects on"}
    on = {name for name, switch in standing(world).switches.items() if switch.enabled}
    assert on == {"people", "subjects", "outputs"}


def test_d7_a_plan_left_open_before_a_pause_is_finished_once_it_is_over(world: World) -> None:
    """Also where no other sync has anything to send, so that no tick is asked for."""
    world.sync(exports=["people"])
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    dying = watched(world.services, DieAfter("destination.put"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "people", window(1), Scope())
    world.now += 2 * TTL
    do(world, pause)
    do(world, resume, at=during(3))
    world.now = window(3).end

    states = world.ledger.registry.states(["people"])
    (wanted,) = wanted_runs(states, Seen({}, {}, ()), world.now)
    run_export(world.services, "people", wanted.window, Scope(wanted.sync_ids, wanted.lane))

    (state,) = world.ledger.registry.states(["people"])
    assert state.open_plan is None
    assert state.position is not None
    assert state.position.at == window(3).end

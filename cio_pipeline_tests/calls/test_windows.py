"""Which calls land in which window and file (C1)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cio_pipeline.contracts import feeds
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Lane
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import wanted_runs
from cio_pipeline_tests.calls.steps import call_row, calls_sync, commit, names, paths, run, window
from cio_pipeline_tests.world import NOON, World
from cio_pipeline_tests.world import window as quarter


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}").replace(tzinfo=UTC)


def test_c1_calls_land_in_the_window_that_they_were_committed_in(world: World) -> None:
    calls_sync(world, at=at("11:55"))
    for moment in ("11:59:59.999", "12:00:00", "12:09:59.999", "12:10:00"):
        commit(world, call_row("track", {"event": moment}), at=at(moment))

    for number in (-1, 0, 1):
        run(world, number)

    assert names(world) == [f"2184.13699.{n}.track.json" for n in (1, 2, 3)]
    texts = [path.read_text() for path in paths(world, "track")]
    assert "11:59:59.999" in texts[0]
    assert "12:00:00" in texts[1]
    assert "12:09:59.999" in texts[1]
    assert "12:10:00" in texts[2]


def test_c1_a_type_without_calls_gives_no_file_and_types_share_the_position(world: World) -> None:
    calls_sync(world)
    commit(world, call_row("track", {"event": "a"}), call_row("page", {"name": "b"}), at=NOON)
    run(world, 0)
    run(world, 1)
    commit(world, call_row("Group", {"groupId": "c"}), at=window(2).start)
    run(world, 2)

    assert names(world) == [
        "2184.13699.1.page.json",
        "2184.13699.1.track.json",
        "2184.13699.2.group.json",
    ]
    assert world.verify().ok
    assert world.verify().files == 3


def test_c1_a_window_too_large_for_a_file_goes_on_under_the_next_position(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(feeds.ALL_EXPORTS["calls"], rows_per_file=2)
    monkeypatch.setitem(feeds.ALL_EXPORTS, "calls", small)  # type: ignore[arg-type]
    calls_sync(world)
    rows = [call_row("track", {"event": str(n)}) for n in range(5)]
    commit(world, *rows, call_row("page", {}), at=NOON)
    run(world, 0)
    commit(world, call_row("page", {"name": "x"}), at=window(1).start)
    run(world, 1)

    assert names(world) == [
        "2184.13699.1.page.json",
        "2184.13699.1.track.json",
        "2184.13699.2.track.json",
        "2184.13699.3.track.json",
        "2184.13699.4.page.json",
    ]
    assert world.verify().ok


def test_c1_empty_files_for_every_type_on_demand(world: World) -> None:
    calls_sync(world, write_empty=True, format="csv")
    run(world, 0)
    commit(world, call_row("track", {"event": "a"}), at=window(1).start)
    run(world, 1)

    assert len(names(world)) == 12
    first, second = paths(world, "track")
    assert first.read_text().startswith("message_id,anonymous_id,user_id,")
    assert len(first.read_text().splitlines()) == 1
    assert len(second.read_text().splitlines()) == 2
    assert world.verify().ok


def test_c1_ids_are_made_once_and_stay(world: World) -> None:
    sync = calls_sync(world, integration_id=None, action_id=None)
    first, second = sync.file_ids
    assert (sync.told["integration_id"], sync.told["action_id"]) == (str(first), str(second))
    commit(world, call_row("track", {"event": "a"}), at=NOON)
    run(world, 0)
    assert names(world) == [f"{first}.{second}.1.track.json"]
    with pytest.raises(InvalidConfig, match="cannot change its integration_id"):
        calls_sync(world, integration_id=1, action_id=None)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_sync_begins_with_the_window_of_its_creation_whatever_runs_first(
    world: World, order: tuple[int, ...]
) -> None:
    commit(world, call_row("track", {"event": "before"}), at=NOON - timedelta(seconds=1))
    calls_sync(world, at=NOON + timedelta(minutes=4))
    commit(world, call_row("track", {"event": "same window"}), at=NOON + timedelta(minutes=1))
    commit(world, call_row("track", {"event": "later"}), at=window(1).start)
    world.now = window(2).end + timedelta(seconds=1)
    for number in order:
        run(world, number)

    text = "".join(path.read_text() for path in paths(world, "track"))
    assert "before" not in text
    assert text.count("\n") == 2
    assert world.verify().ok


def test_workspaces_and_formats_are_kept_apart(world: World) -> None:
    calls_sync(world, "a", 1)
    calls_sync(world, "b", 2, format="csv")
    calls_sync(world, "c", 1, format="parquet")
    calls_sync(world, "d", 1, integration_id=7)
    commit(world, call_row("track", {"event": "one"}, workspace=1), at=NOON)
    commit(world, call_row("track", {"event": "two"}, workspace=2), at=NOON)
    run(world, 0)

    assert "two" not in paths(world, "track", "a")[0].read_text()
    assert "one" not in paths(world, "track", "b")[0].read_text()
    assert names(world, "c") == ["2184.13699.1.track.parquet"]
    assert paths(world, "track", "a")[0].read_bytes() == paths(world, "track", "d")[0].read_bytes()
    for sync_id in "abcd":
        assert world.verify(sync_id).ok


def test_rows_that_are_no_calls_are_held_back_and_stop_nothing(world: World) -> None:
    calls_sync(world)
    commit(
        world,
        call_row("track", {"event": "good"}),
        call_row("teleport", {"event": "a"}),
        call_row("track", "{"),
        call_row("track", "[1]"),
        call_row("track", '{"a": NaN}'),
        call_row("track", '{"a": 1, "a": 2}'),
        at=NOON,
    )
    (outcome,) = run(world, 0)

    assert outcome.quarantined == 5
    assert len(paths(world, "track")[0].read_text().splitlines()) == 1
    reasons = sorted(entry.reason for entry in world.ledger.quarantine.entries())
    assert reasons == [
        "payload has a key that stands twice",
        "payload holds NaN or Infinity, which is no JSON",
        "payload is no JSON object",
        "payload is no valid JSON",
        "type is none of identify, track, page, screen, group, alias",
    ]


def test_the_sensor_asks_for_windows_of_ten_minutes_and_counts_them_apart(world: World) -> None:
    calls_sync(world, at=NOON + timedelta(minutes=4))
    world.sync("d", at=NOON + timedelta(minutes=4))
    now = window(2).end + timedelta(seconds=1)
    states = world.ledger.registry.states(["calls"])
    requests = wanted_runs(states, Seen({}, {}, ()), now, Feed.CALLS)
    assert [(one.lane, one.window, one.keys) for one in requests] == [
        (Lane.TICK, window(n), (f"calls:{window(n).key}",)) for n in range(3)
    ]
    people = world.ledger.registry.states(["people"])
    (initial,) = wanted_runs(people, Seen({}, {}, ()), now)
    assert (initial.lane, initial.window) == (Lane.INITIAL, quarter(1))
    tried = {(Lane.TICK, one.keys[0]): (1, now) for one in requests}
    assert wanted_runs(states, Seen({}, tried, ()), now, Feed.CALLS) == []
    for number in range(3):
        run(world, number)
    settled = world.ledger.registry.states(["calls"])
    assert wanted_runs(settled, Seen({}, {}, ()), now, Feed.CALLS) == []

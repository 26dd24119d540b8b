"""Windows that are sent again: new numbers, the same rows, positions where they were."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig, LeaseHeld, VersionGone
from cio_pipeline.model.manifests import Manifest, Replay, parse_manifest
from cio_pipeline.model.plans import Mode
from cio_pipeline.pipeline.heartbeat import TTL, claimed
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.replay import Replayed, Wanted, replay
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.calls.steps import call_row, calls_sync, paths
from cio_pipeline_tests.calls.steps import commit as commit_calls
from cio_pipeline_tests.calls.steps import run as run_calls
from cio_pipeline_tests.calls.steps import window as call_window
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.recovery.loss import DieBefore, without_ledger
from cio_pipeline_tests.world import World, during, window

EXPORTS = ("deliveries", "events")


def delivery(key: str, number: int) -> dict[str, Any]:
    return {"delivery_id": key, "seq_num": number, "delivery_type": "email"}


def event(key: str, number: int) -> dict[str, Any]:
    at = during(number)
    return {"event_id": key, "timestamp": at, "processed_at": at}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """First files, then two windows, the second of which changes a row of the first again."""
    world = World(tmp_path_factory.mktemp("sent") / "world")
    world.sync()
    for number, keys in enumerate([("d0", "d1"), ("d0", "d1", "d2"), ("d1", "d3")]):
        rows = [delivery(key, number + 1) for key in keys]
        world.commit("deliveries", *rows, at=during(number))
        world.commit("events", event(f"e{number}", number), at=during(number))
        world.run(number, *EXPORTS)
    return world


@pytest.fixture
def world(sent: World, tmp_path: Path) -> World:
    return sent.copy(tmp_path / "world")


def again(
    world: World, first: int, last: int, services: Services | None = None, **more: Any
) -> tuple[Replayed, ...]:
    wanted = Wanted("a", window(first).start, window(last).end, **more)
    return replay(services or world.services, wanted)


def chain(world: World) -> list[Manifest]:
    folder = world.folder() / "_cio"
    found = sorted(folder.glob("*.manifest"), key=lambda path: int(path.stem))
    return [parse_manifest(path.read_bytes()) for path in found]


def rows(world: World, manifest: Manifest, export: str) -> pl.DataFrame:
    keys = [file.key for file in manifest.files if file.export == export]
    return pl.concat([pl.read_parquet(world.folder() / key) for key in keys])


def positions(world: World) -> dict[str, Any]:
    states = world.ledger.registry.states(EXPORTS, ["a"])
    return {state.export: state.position for state in states}


def test_d6_a_window_is_sent_again_without_rows_that_have_a_newer_version(world: World) -> None:
    before, old = positions(world), chain(world)
    done = again(world, 1, 1)
    assert [(one.outcome.export, one.outcome.rows, one.outcome.error) for one in done] == [
        ("deliveries", 2, None),
        ("events", 1, None),
    ]
    (*_, new) = chain(world)
    assert len(chain(world)) == len(old) + 1
    ends = window(0).end, window(1).end
    assert new.replay_of == tuple(Replay(export, *ends) for export in EXPORTS)
    assert {(file.mode, file.window_end) for file in new.files} == {(Mode.REPLAY, ends[1])}
    assert {file.sequence for file in new.files} == {4}
    assert set(rows(world, new, "deliveries")["delivery_id"]) == {"d0", "d2"}
    assert rows(world, new, "events").equals(rows(world, old[1], "events"))
    assert positions(world) == before
    assert world.verify().ok


def test_d6_all_rows_are_those_that_were_sent_then(world: World) -> None:
    old = chain(world)
    again(world, 1, 2, all_rows=True)
    new = chain(world)[len(old) :]
    assert [one.replay_of[0].all_rows for one in new] == [True, True]
    for before, now in zip(old[1:], new, strict=True):
        assert [f.sha256 for f in now.files] == [f.sha256 for f in before.files]
    assert world.verify().ok


def test_what_is_sent_again_is_chosen_and_later_windows_go_on(world: World) -> None:
    (one,) = again(world, 1, 1, exports=["events"])
    assert one.outcome.export == "events"
    world.commit("deliveries", delivery("d9", 9), at=during(3))
    world.commit("events", event("e9", 3), at=during(3))
    world.run(3, *EXPORTS)
    (*_, new) = chain(world)
    assert set(rows(world, new, "deliveries")["delivery_id"]) == {"d9"}
    assert set(rows(world, new, "events")["event_id"]) == {"e9"}
    assert world.verify().ok
    # What was sent again is not what a window sent.
    assert len(again(world, 1, 1, exports=["events"])) == 1


@pytest.mark.parametrize("all_rows", [pytest.param(True, marks=pytest.mark.deep), False])
def test_d10_what_was_sent_again_is_restored_and_a_rebuilt_ledger_goes_on(
    world: World, *, all_rows: bool
) -> None:
    again(world, 1, 1, all_rows=all_rows)
    keys = [file.key for file in chain(world)[-1].files]
    for key in keys:
        (world.folder() / key).unlink()
    assert {one.key for one in restore(world.services) if not one.error} == set(keys)
    assert world.verify().ok
    sync = world.ledger.registry.get("a").sync
    before = positions(world)
    rebuilt = without_ledger(world)
    rebuild(rebuilt.services, [sync])
    assert {key: cut.at for key, cut in positions(rebuilt).items()} == {
        key: cut.at for key, cut in before.items()
    }
    world = rebuilt
    world.commit("deliveries", delivery("d9", 9), at=during(3))
    world.run(3, *EXPORTS)
    assert set(rows(world, chain(world)[-1], "deliveries")["delivery_id"]) == {"d9"}
    assert world.verify().ok


@pytest.mark.parametrize("dies", [False, True])
def test_d10_what_was_sent_again_is_restored_after_the_ledger_was_lost(
    world: World, *, dies: bool
) -> None:
    """Also where the next window finished it, and a row of it changed once more in that one."""
    wanted = Wanted("a", window(0).end, window(1).end)
    if dies:
        services = watched(world.services, Fuse(at=_puts(world, wanted)), "dies")
        with pytest.raises(Crash):
            replay(services, wanted)
        world.now += 2 * TTL
    else:
        replay(world.services, wanted)
    world.commit("deliveries", delivery("d0", 9), at=during(3))
    world.run(3, *EXPORTS)
    sync = world.ledger.registry.get("a").sync
    keys = {f.key for one in chain(world) for f in one.files if f.mode is Mode.REPLAY}
    again = without_ledger(world)
    rebuild(again.services, [sync])
    for key in keys:
        (again.folder() / key).unlink()
    assert {(one.key, one.error) for one in restore(again.services)} == {(k, None) for k in keys}
    assert again.verify().ok


def _puts(world: World, wanted: Wanted) -> int:
    """The effect of a replay that puts its first file."""
    twin, fuse = world.copy(world.root.with_name("twin")), Fuse()
    replay(watched(twin.services, fuse, "twin"), wanted)
    twin.ledger.close()
    return fuse.names.index("destination.put") + 1


def test_what_cannot_be_sent_again_is_refused_by_name(world: World) -> None:
    class Vacuumed:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.services.source, name)

        def changed_rows(self, *_: Any) -> int:
            raise VersionGone("Version 1 of table deliveries is gone.")

    vacuumed = world.as_run("run 2", source=Vacuumed())
    before = chain(world)
    with pytest.raises(VersionGone, match=r"deliveries of the window that ended at .*12:30"):
        again(world, 1, 1, vacuumed)
    with pytest.raises(InvalidConfig, match="only first files"):
        again(world, 0, 0)
    with pytest.raises(InvalidConfig, match="nothing was sent"):
        again(world, 7, 8)
    with (
        claimed(world.as_run("another"), [("a", "events")]),
        pytest.raises(LeaseHeld, match="another"),
    ):
        again(world, 1, 1)
    assert chain(world) == before


def test_a_plan_whose_rows_cannot_be_read_is_not_left_in_the_way(world: World) -> None:
    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.services.source, name)

        def changes(self, *_: Any) -> Any:
            raise VersionGone("A file of table deliveries is gone.")

    done = again(world, 1, 1, world.as_run("run 2", source=Failing()))
    assert {one.outcome.error.kind for one in done if one.outcome.error} == {"VersionGone"}
    states = world.ledger.registry.states(EXPORTS, ["a"])
    assert [state.open_plan for state in states] == [None, None]
    assert len(again(world, 1, 1)) == 2
    assert world.verify().ok


KINDS = {
    "plans.open", "plans.seal", "destination.put", "plans.deliver", "plans.commit",
    "destination.put_bytes", "manifests.mark_put", "leases.release",
}  # fmt: skip


def points(names: list[str]) -> Iterator[int]:
    for kind in KINDS:
        found = [at for at, name in enumerate(names, 1) if name == kind]
        assert found, kind
        yield from {found[0], found[-1]}


def test_d6_a_replay_that_dies_anywhere_is_finished_by_the_next_window(
    sent: World, tmp_path: Path
) -> None:
    whole, world = Fuse(), sent.copy(tmp_path / "whole")
    again(world, 1, 1, watched(world.services, whole, "whole"))
    expected, before = world.names(), positions(world)
    for at in sorted(points(whole.names)):
        world = sent.copy(tmp_path / str(at))
        with pytest.raises(Crash):
            again(world, 1, 1, watched(world.services, Fuse(at), "first"))
        effect = f"died before effect {at}, {whole.names[at - 1]}"
        world.now += TTL + timedelta(seconds=1)
        world.run(3, *EXPORTS)
        begun = {plan for plan in world.names() if plan not in sent.names()}
        assert world.verify().ok, effect
        assert world.names() == expected or not begun, effect
        if whole.names[at - 1] != "plans.open":
            assert world.names() == expected, effect
        assert {e: c.at for e, c in positions(world).items()} == {
            e: window(3).end for e in before
        }, effect
        world.ledger.close()


def test_c1_calls_are_sent_again_under_the_next_position(tmp_path: Path) -> None:
    world = World(tmp_path)
    calls_sync(world)
    for number in (0, 1):
        row = call_row("track", {"messageId": f"m{number}", "event": "Seen"})
        commit_calls(world, row, at=call_window(number).start)
        run_calls(world, number)
    replay(world.services, Wanted("a", call_window(0).start, call_window(0).end))
    first, _, third = paths(world, "track")
    assert third.read_bytes() == first.read_bytes()
    assert world.verify().ok


def test_m4_messages_are_put_back_not_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sync(feed="messages")
    with pytest.raises(InvalidConfig, match="keys of their own"):
        again(world, 0, 0)


@pytest.mark.usefixtures("home")
def test_the_command_tells_what_was_sent_again(world: World) -> None:
    times = ("--from", "2026-03-01T12:15", "--to", "2026-03-01T12:30")
    done = CliRunner().invoke(app, ["replay", "a", *times, "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert [one["outcome"]["rows"] for one in json.loads(done.stdout)] == [2, 1]
    back = CliRunner().invoke(app, ["replay", "a", "--from", times[3], "--to", times[1]])
    assert isinstance(back.exception, InvalidConfig)


def test_slices_of_a_window_are_sent_again_one_by_one(world: World) -> None:
    sliced = replace(world.services, slice_rows=1)
    old = chain(world)
    again(world, 1, 1, sliced, exports=["deliveries"], all_rows=True)
    new = chain(world)[len(old) :]
    found = pl.concat([rows(world, one, "deliveries") for one in new])
    assert found.sort("delivery_id").equals(rows(world, old[1], "deliveries").sort("delivery_id"))
    assert all(one.replay_of for one in new)
    assert world.verify().ok


def test_d4_d6_who_came_and_went_is_sent_again_alike_whoever_is_there_by_now(
    tmp_path: Path,
) -> None:
    """What was sealed comes to the same bytes, and readers are told again that somebody went."""
    world, exports = World(tmp_path), ("people", "delivery_content")
    world.sync(exports=exports)
    known = {"internal_customer_id": "p", "email": "p@x.example"}
    for number, deleted in enumerate([True, False, True]):
        row = {**known, "deleted": deleted, "updated_at": during(number)}
        world.commit("people", row, at=during(number))
        content = {"delivery_id": f"d{number}", "recipient": known["email"]}
        content["internal_customer_id"] = "p"
        world.commit("delivery_content", content, at=during(number))
        world.run(number, *exports)
    dying = watched(world.services, DieBefore("destination.put"), "first")
    with pytest.raises(Crash):
        again(world, 1, 2, dying)
    world.commit("people", {**known, "updated_at": during(3)}, at=during(3))
    shutil.rmtree(tmp_path / "spool")
    world.now += TTL
    assert {one.error for one in world.run(3, *exports)} == {None}
    assert any(one.replay_of for one in chain(world))

    again(world, 2, 2, all_rows=True)
    (told,) = (one for one in chain(world)[-1].files if one.export == "people")
    gone = pl.read_parquet(world.folder() / told.key).select("internal_customer_id", "deleted")
    assert gone.rows() == [("p", True)]
    assert world.verify().ok

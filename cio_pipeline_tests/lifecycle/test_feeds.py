"""The life of syncs whose feeds forward what comes in: they have no history to start with."""

from pathlib import Path

import pytest

from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.purge import recreate
from cio_pipeline.pipeline.lifecycle.switches import pause, resume
from cio_pipeline.pipeline.lifecycle.upgrade import upgrade
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.calls.steps import call_row, calls_sync
from cio_pipeline_tests.lifecycle.doing import do
from cio_pipeline_tests.messages.sending import commit_messages, objects, row
from cio_pipeline_tests.world import World, during


def call(world: World, number: int) -> None:
    """A call in each window, which is run."""
    steps.commit(world, call_row("track", {"event": f"e{number}"}), at=steps.window(number).start)
    steps.run(world, number)


def name(position: int) -> str:
    return f"2184.13699.{position}.track.json"


def test_d6_calls_enabled_again_go_on_from_that_window_and_positions_count_on(
    world: World,
) -> None:
    calls_sync(world)
    call(world, 0)
    do(world, disable)
    call(world, 1)
    found = do(world, enable, at=steps.window(2).start)
    assert any("what came before is not sent" in note for note in found.notes)
    call(world, 2)
    assert steps.names(world) == [name(1), name(2)]
    assert "e2" in (world.folder() / name(2)).read_text()
    report = world.verify()
    assert report.ok, report
    assert not report.warnings


def test_d7_calls_are_recreated_moved_and_paused_like_exports(world: World) -> None:
    sync = calls_sync(world)
    call(world, 0)
    do(world, recreate, at=steps.window(1).start)
    call(world, 1)
    assert steps.names(world) == [name(2)]
    assert world.verify().ok

    place = sync.destination.model_copy(update={"path": "elsewhere"})
    moved = sync.model_copy(update={"destination": place})
    apply_syncs(
        world.services, [moved], lambda one: location(one.destination, world.root), world.now
    )
    do(world, pause, "calls", at=world.now)
    call(world, 2)
    do(world, resume, at=world.now)
    call(world, 3)
    assert files(world.root / "elsewhere") == [name(3)]
    assert (world.root / "elsewhere" / name(3)).read_text().count("event_text") == 2
    report = world.verify()
    assert report.ok, report
    assert not report.warnings


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.json"))


def test_d7_messages_are_purged_with_what_replaced_them(world: World) -> None:
    world.sync(feed="messages", key_template="data.k")
    first, longer = row("1", '{"k":"x"}', 1), row("2", '{"k":"x","longer":true}', 2)
    commit_messages(world, first, longer, row("3", '{"k":"y"}', 3), at=during(0))
    (outcome,) = world.run(0, "messages")
    assert (outcome.error, outcome.files) == (None, 3), outcome
    assert set(objects(world)) == {"x", "y"}

    do(world, recreate, at=during(1, 0))

    assert objects(world) == {}
    commit_messages(world, row("4", '{"k":"y"}', 4), at=during(1))
    world.run(1, "messages")
    assert set(objects(world)) == {"y"}
    report = world.verify()
    assert report.ok, report
    assert restore(world.services) == restore_manifests(world.services) == ()


def test_other_feeds_have_no_versions(world: World) -> None:
    calls_sync(world)
    with pytest.raises(InvalidConfig, match="of calls, which has no versions"):
        do(world, upgrade)

"""D6, D7: a sync that is disabled sends nothing; enabled again it starts a new generation."""

from datetime import timedelta

import pytest

from cio_pipeline.defs.manifest import FAILED_SYNCS
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.purge import purge
from cio_pipeline.pipeline.lifecycle.switches import pause, resume
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import wanted_runs
from cio_pipeline.pipeline.send_now import send_now
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.defs.running import check, dagster_on
from cio_pipeline_tests.lifecycle.doing import EVERY, do, numbers, standing
from cio_pipeline_tests.recovery.loss import DieAfter, change, go_on, without_ledger
from cio_pipeline_tests.world import World, during, window


def test_d6_a_disabled_sync_sends_nothing_and_is_asked_for_nothing(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    before = world.names()
    assert do(world, disable, at=during(2)).changed == ("disabled",)

    go_on(world, [2])

    assert world.names() == before
    states = world.ledger.registry.states(["people", "events", "metrics"])
    nothing = Seen(errors={}, attempts={}, running=())
    assert wanted_runs(states, nothing, world.now + timedelta(hours=2)) == []
    assert oldest_needed(world.ledger) == {}, "enabled, it reads no version of the past"
    assert do(world, disable).changed == ()


def test_d6_enabled_again_it_sends_all_history_and_numbers_go_on(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    do(world, disable, at=during(2))
    change(world, 2)
    found = do(world, enable, at=during(3))

    assert found.changed == ("generation 2",)
    assert "files of earlier generations are still in the bucket" in found.notes[0]
    assert "sync purge a" in found.notes[0]
    go_on(world, [3, 4])

    assert numbers(world, "people") == ["1_1", "1_2", "1_3", "1_4", "chngs_1_1", "chngs_1_2"]
    assert numbers(world, "metrics") == ["1_1_1", "1_2", "1_3_1", "1_4"]
    files = world.ledger.manifests.files("a", 2)
    assert {file.mode for file in files if file.sequence == 3} == {Mode.INITIAL}
    rows = {file.export: file.rows for file in files if file.mode is Mode.INITIAL}
    assert rows == {"people": 4, "events": 4, "metrics": 4}
    assert world.verify().ok


def test_d6_what_was_paused_stays_so_and_pauses_of_before_count_no_more(world: World) -> None:
    world.sync(exports=["people", "events"])
    go_on(world, range(1))
    do(world, pause, "people", at=during(1))
    do(world, disable, at=during(2))
    found = do(world, enable, at=during(1) + timedelta(days=40))
    assert found.notes[-1] == "Still off, since they were paused: people."
    assert {n: s.enabled for n, s in standing(world).switches.items()} == {
        "people": False,
        "events": True,
    }


def test_d6_windows_before_it_was_enabled_are_no_work(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    do(world, disable, at=during(1))
    do(world, enable, at=during(3))
    before = world.names()
    world.run(2, "people")
    assert world.names() == before


def test_d7_plans_under_way_are_given_up_and_their_numbers_void(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    dying = watched(world.services, DieAfter("destination.put"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "people", window(2), Scope())
    with pytest.raises(LeaseLost, match="people of sync 'a' is being worked on by dying"):
        do(world, disable)
    assert standing(world).disabled_at is None

    world.now += 2 * TTL
    found = do(world, disable)

    assert "The unfinished plan of people was given up; its 2 numbers are void." in found.notes
    assert "1_3" not in numbers(world, "people")
    do(world, enable)
    go_on(world, [4])
    assert numbers(world, "people")[:3] == ["1_1", "1_2", "1_4"]
    report = world.verify()
    assert report.ok
    assert not report.warnings


def test_o8_the_bucket_of_a_disabled_sync_is_nobodys_failure_and_gets_the_rest_once_it_is_back(
    world: World,
) -> None:
    """Whoever is disabled since the bucket is gone would else be told by each run for ever."""
    world.sync(exports=["people"])
    world.sync("b", 2, exports=["people"])
    go_on(world, range(1))
    place = world.folder("a")
    away = place.rename(world.root / "away")
    place.write_text("in the way")
    change(world, 1)
    world.run(1, "people")
    do(world, disable)
    assert world.ledger.manifests.waiting().unput == {"a"}, "its numbers are void"

    with dagster_on(world) as dagster:
        ran = dagster.run(2, "people")
        told = dagster.instance.get_run_by_id(ran.run_id)
        listed = check(ran, "manifest", "manifest_lies_in_every_bucket")
    now = send_now(world.services, Feed.DATA_OUT, Scope())
    resumed = do(world, resume)
    place.unlink()
    away.rename(place)
    world.run(3, "people")

    assert listed.passed
    assert told is not None
    assert FAILED_SYNCS not in told.tags
    assert [one.sync_id for one in now.written if one.error] == []
    assert [note for note in resumed.notes if "next window" in note] == []
    assert "nothing is sent until `cio-pipeline sync enable a`" in resumed.notes[-1]
    assert world.ledger.manifests.waiting().unput == set()


@pytest.mark.parametrize("verb", [disable, enable])
def test_d6_a_crash_anywhere_leaves_it_repeatable(
    world: World, verb: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world.sync()
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    dying = watched(world.services, DieAfter("plans.seal"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "events", window(1), Scope())
    world.now += 2 * TTL
    if verb is enable:
        do(world, disable)
    at, blown = 1 - EVERY, True
    while blown:
        at += EVERY
        fuse = Fuse(at)
        copy = world.copy(tmp_path_factory.mktemp("crash") / "world")
        try:
            do(copy, verb, services=watched(copy.services, fuse, "me"))  # type: ignore[arg-type]
        except Crash:
            copy.now += 2 * TTL
        blown = fuse.blown
        do(copy, disable)
        do(copy, enable)
        go_on(copy, [5])
        newest = standing(copy).generation
        files = copy.ledger.manifests.files("a", newest)
        assert {file.export: file.rows for file in files} == {
            "people": 3,
            "events": 3,
            "metrics": 3,
        }
        assert copy.verify().ok, (at, fuse.names[-1])
        copy.ledger.close()
    assert at > 5


def test_d10_a_lost_ledger_goes_on_in_the_last_generation(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    do(world, disable)
    do(world, enable)
    go_on(world, [3])

    again = without_ledger(world)
    rebuild(again.services, [sync])

    assert standing(again).generation == 2
    assert standing(again).created_at == window(3).start
    go_on(again, [4])
    assert [
        file.rows for file in again.ledger.manifests.files("a", 2) if file.export == "events"
    ] == [
        3,
        1,
    ]
    assert again.verify().ok


def test_d6_catching_up_does_not_undo_a_new_generation_that_no_manifest_tells_of(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(2))
    do(world, disable)
    do(world, enable)
    before = standing(world)
    assert [one.error for one in catch_up(world.services)] == [None]
    assert standing(world) == before
    go_on(world, [3])
    rows = {one.export: one.rows for one in world.ledger.manifests.files("a", 2)}
    assert rows == {"people": 3, "events": 3, "metrics": 3}


def test_d10_catching_up_does_not_undo_a_purge(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    do(world, disable)
    do(world, purge)
    before = standing(world)
    assert [one.error for one in catch_up(world.services)] == [None]
    assert standing(world) == before
    do(world, enable)
    go_on(world, [3])
    report = world.verify()
    assert report.ok, report
    assert report.first == 3

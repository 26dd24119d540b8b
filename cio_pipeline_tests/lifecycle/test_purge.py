"""D7: purging removes exactly what the ledger knows; recreating starts over with none of it."""

from collections.abc import Callable
from typing import Any

import pytest

from cio_pipeline.model.errors import DestinationUnavailable, InvalidConfig, PermissionMissing
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.purge import purge, recreate
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.lifecycle.doing import EVERY, do, numbers, standing
from cio_pipeline_tests.recovery.loss import change, go_on, listed, without_ledger
from cio_pipeline_tests.world import World, window


def everything(world: World) -> list[str]:
    folder = world.folder()
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


FOREIGN = ["people_v5_1_77.parquet", "readme.txt"]


def put_foreign(world: World) -> None:
    for name in FOREIGN:
        (world.folder() / name).write_bytes(b"not ours")


@pytest.mark.parametrize("layout", ["flat", "dated"])
def test_d7_a_purge_removes_what_the_ledger_knows_and_nothing_else(
    world: World, layout: str
) -> None:
    world.sync(layout=layout)
    go_on(world, range(2))
    with pytest.raises(InvalidConfig, match="is enabled"):
        do(world, purge)
    do(world, disable)
    put_foreign(world)
    ours = sorted(set(everything(world)) - set(FOREIGN))

    told = do(world, purge, sure=False)
    assert sorted(told.objects) == ours
    assert not told.done
    assert everything(world) == sorted([*ours, *FOREIGN])

    assert sorted(do(world, purge).objects) == ours
    assert everything(world) == FOREIGN
    assert do(world, purge).objects == ()
    assert restore(world.services) == restore_manifests(world.services) == ()
    assert everything(world) == FOREIGN


def test_d7_something_else_under_a_key_of_ours_is_left_and_named(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    do(world, disable)
    (world.folder() / "people_v5_1_1.parquet").write_bytes(b"somebody's")
    found = do(world, purge)
    assert everything(world) == ["people_v5_1_1.parquet"]
    assert "people_v5_1_1.parquet is left" in found.notes[0]


def test_d7_d10_enabled_after_a_purge_its_chain_begins_anew_and_is_whole(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    do(world, disable)
    do(world, purge)
    assert do(world, enable).notes == ()
    assert world.manifests() == ["3.manifest"]
    go_on(world, [3, 4])

    report = world.verify()
    assert report.ok, report
    assert (report.first, report.complete_up_to, report.warnings) == (3, 5, ())
    assert sorted(listed(world, "events")["event_id"]) == ["e0", "e1", "e3", "e4"]
    assert numbers(world, "events") == ["1_3", "1_4"]

    again = without_ledger(world)
    rebuild(again.services, [sync])
    assert (standing(again).first_manifest, standing(again).generation) == (3, 2)
    go_on(again, [5])
    assert numbers(again, "events") == ["1_3", "1_4", "1_5"]
    assert again.verify().ok
    assert restore(again.services) == restore_manifests(again.services) == ()


def test_d7_whoever_emptied_the_bucket_by_hand_needs_no_purge(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    do(world, disable)
    for key in everything(world):
        (world.folder() / key).unlink()
    assert do(world, enable).notes == ()
    go_on(world, [3])
    assert world.verify().ok


def test_d7_recreating_purges_and_sends_all_anew_as_the_sync_file_says(world: World) -> None:
    world.sync(exports=["people", "events", "metrics"])
    go_on(world, range(2))
    put_foreign(world)
    old = set(everything(world)) - set(FOREIGN)

    told = do(world, recreate, sure=False)
    assert set(told.objects) == old
    assert standing(world).generation == 1
    do(world, recreate)

    assert standing(world).generation == 2
    go_on(world, [3])
    assert set(everything(world)) & old == set()
    assert {"people_v5_1_77.parquet", "readme.txt"} < set(everything(world))
    (world.folder() / FOREIGN[0]).unlink()
    assert world.verify().ok
    assert sorted(listed(world, "people")["internal_customer_id"]) == ["p0", "p1", "p3"]


class CannotDelete:
    """A destination whose key lacks a permission."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def delete(self, key: str) -> None:
        raise PermissionMissing(f"The key may not delete {key}: it lacks s3:DeleteObject.")


def test_d7_without_the_right_to_delete_nothing_is_changed_and_the_right_is_named(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(1))
    inner = world.services.destinations
    services = world.as_run("me", destinations=lambda sync: CannotDelete(inner(sync)))
    before = standing(world)
    with pytest.raises(PermissionMissing, match="s3:DeleteObject"):
        do(world, recreate, services=services)
    assert standing(world) == before
    go_on(world, [1])
    assert world.verify().ok


def test_d7_a_crash_anywhere_leaves_recreating_repeatable(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world.sync()
    go_on(world, range(1))
    at, blown = 1 - EVERY, True
    while blown:
        at += EVERY
        fuse = Fuse(at)
        copy = world.copy(tmp_path_factory.mktemp("crash") / "world")
        try:
            do(copy, recreate, services=watched(copy.services, fuse, "me"))
        except Crash:
            copy.now += 2 * TTL
        blown = fuse.blown
        if blown:
            do(copy, recreate)
        go_on(copy, [5])
        assert sorted(listed_here(copy)) == ["e0", "e5"]
        assert copy.verify().ok, (at, fuse.names[-1])
        copy.ledger.close()
    assert at > 8


def listed_here(world: World) -> list[str]:
    return world.read("events")["event_id"].to_list()


class RunsMeanwhile:
    """A destination; a run delivers to it once, while its objects are listed."""

    def __init__(self, inner: Any, run: Callable[[], Any]) -> None:
        self.inner, self.run = inner, [run]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def list(self, prefix: str = "") -> list[Any]:
        found = list(self.inner.list(prefix))
        if self.run:
            self.run.pop()()
        return found


def test_d7_nothing_is_left_of_a_run_that_delivers_while_a_sync_is_recreated(world: World) -> None:
    """What is removed is looked for when no run can put anything any more."""
    sync = world.sync()
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    place = RunsMeanwhile(
        world.services.destinations(sync),
        lambda: run_export(world.services, "people", window(1), Scope()),
    )

    do(world, recreate, services=world.as_run("me", destinations=lambda _: place))
    go_on(world, [2])

    report = world.verify()
    assert report.ok, report
    assert report.warnings == ()


class Dead:
    def __getattr__(self, name: str) -> Any:
        raise DestinationUnavailable("It does not answer.")


def test_d10_purged_and_enabled_while_its_bucket_does_not_answer_its_chain_begins_anew(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(2))
    do(world, disable)
    do(world, purge)
    do(world, enable, services=world.as_run("me", destinations=lambda _: Dead()))
    go_on(world, [3])
    report = world.verify()
    assert report.ok, report
    assert (report.first, report.complete_up_to) == (3, 4)

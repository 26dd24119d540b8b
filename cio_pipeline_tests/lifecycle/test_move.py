"""D7, D8, D10: a changed destination is tried, positions go on, and the chain begins anew there."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.model.errors import (
    DestinationUnavailable,
    InvalidConfig,
    LeaseLost,
    PermissionMissing,
)
from cio_pipeline.model.objects import Permission
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.switches import pause
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.lifecycle.doing import EVERY, do, move, standing
from cio_pipeline_tests.recovery.loss import DieAfter, change, go_on, without_ledger
from cio_pipeline_tests.world import World, window


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.parquet"))


def test_d7_d10_positions_go_on_and_both_places_are_whole(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    old = world.folder()
    before = sorted(old.rglob("*"))

    found = move(world, "elsewhere")
    assert "listed up to manifest 2" in found.notes[0]
    assert "begins with manifest 3" in found.notes[0]
    go_on(world, [2, 3])

    assert sorted(old.rglob("*")) == before
    new = world.root / "elsewhere"
    assert [name for name in names(new) if "events" in name] == [
        "events_v5_1_3.parquet",
        "events_v5_1_4.parquet",
    ]
    report = world.verify()
    assert report.ok, report
    assert (report.first, report.complete_up_to, report.warnings) == (3, 5, ())
    assert verify(world.services.destinations(sync)).complete_up_to == 2
    assert restore(world.services) == restore_manifests(world.services) == ()

    again = without_ledger(world)
    moved = sync.model_copy(update={"destination": standing_destination(sync, "elsewhere")})
    rebuild(again.services, [moved])
    go_on(again, [4])
    assert "events_v5_1_5.parquet" in names(new)
    assert again.verify().ok
    (new / "events_v5_1_4.parquet").unlink()
    assert [one.error for one in restore(again.services)] == [None]


def standing_destination(sync: Any, path: str) -> Any:
    return sync.destination.model_copy(update={"path": path})


def test_d7_moved_back_the_files_of_before_are_known_still(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    move(world, "elsewhere")
    go_on(world, [1])
    move(world, "bucket/a")
    go_on(world, [2])
    report = world.verify()
    assert report.ok, report
    assert not report.warnings


def test_d7_d10_where_everything_was_copied_to_the_chain_goes_on(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    shutil.copytree(world.folder(), world.root / "copied")
    assert move(world, "copied").notes == ()
    go_on(world, [2])
    report = world.verify()
    assert report.ok
    assert (report.first, report.complete_up_to) == (1, 3)


def test_d7_a_plan_under_way_is_given_up_and_sent_to_the_new_place(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    dying = watched(world.services, DieAfter("destination.put"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "events", window(2), Scope())
    with pytest.raises(LeaseLost, match="dying"):
        move(world, "elsewhere")
    world.now += 2 * TTL
    move(world, "elsewhere")
    assert "events_v5_1_3.parquet" not in world.names()
    go_on(world, [3])
    assert "events_v5_1_4.parquet" in names(world.root / "elsewhere")
    assert world.verify().ok


def test_d7_a_place_that_answers_no_more_does_not_hold_a_sync_back(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    for export in ("people", "events", "metrics"):
        run_export(world.services, export, window(1), Scope())
    inner = world.services.destinations

    class Dead:
        def __getattr__(self, name: str) -> Any:
            raise DestinationUnavailable("It does not answer.")

    def opened(sync: Any) -> Any:
        return Dead() if sync.destination.path.endswith("bucket/a") else inner(sync)

    found = move(world, "elsewhere", world.as_run("me", destinations=opened))

    assert "It does not answer." in found.notes[0]
    go_on(world, [2])
    assert world.verify().ok
    assert restore(world.services) == ()


class Forbidden:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def permissions(self) -> list[Permission]:
        return [
            Permission("s3:PutObject", False, "every run", "The key may not put.", "Allow it."),  # noqa: FBT003
            Permission("s3:DeleteObject", False, "purge", needed_by="none"),  # noqa: FBT003
        ]


def test_d7_a_destination_that_cannot_be_written_to_is_refused_and_nothing_changed(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(1))
    inner = world.services.destinations
    services = world.as_run("me", destinations=lambda sync: Forbidden(inner(sync)))
    before = standing(world)
    with pytest.raises(PermissionMissing, match=r"lacks: s3:PutObject\. The key may not put"):
        move(world, "elsewhere", services)
    assert standing(world) == before


def test_d7_what_other_syncs_use_is_refused(world: World) -> None:
    world.sync()
    world.sync("b", 2)
    with pytest.raises(InvalidConfig, match="equal or one lies within"):
        move(world, "bucket/b/inner")


def test_d7_a_crash_anywhere_leaves_moving_repeatable(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world.sync()
    go_on(world, range(1))
    do(world, pause, "metrics")
    at, blown = 1 - EVERY, True
    while blown:
        at += EVERY
        fuse = Fuse(at)
        copy = world.copy(tmp_path_factory.mktemp("crash") / "world")
        try:
            move(copy, "elsewhere", watched(copy.services, fuse, "me"))
        except Crash:
            copy.now += 2 * TTL
        blown = fuse.blown
        move(copy, "elsewhere")
        go_on(copy, [5])
        assert names(copy.root / "elsewhere")[:1] == ["events_v5_1_2.parquet"]
        assert copy.verify().ok, (at, fuse.names[-1])
        copy.ledger.close()
    assert at > 8


def test_d10_what_no_manifest_lists_yet_may_be_copied_too(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    run_export(world.services, "people", window(2), Scope())
    shutil.copytree(world.folder(), world.root / "copied")

    assert move(world, "copied").notes == ()
    go_on(world, [3])

    report = world.verify()
    assert report.ok, report
    # What was delivered before has a manifest of its own: the window goes on from there.
    assert (report.first, report.complete_up_to) == (1, 4)


def test_d10_what_was_delivered_after_the_copy_is_listed_in_the_old_place(world: World) -> None:
    """A manifest must not list in the new place what lies in the old one only."""
    world.sync()
    go_on(world, range(2))
    shutil.copytree(world.folder(), world.root / "copied")
    change(world, 2)
    world.now = window(2).end
    run_export(world.services, "people", window(2), Scope())

    move(world, "copied")
    go_on(world, [3])

    report = world.verify()
    assert report.ok, report
    assert (report.first, report.complete_up_to) == (4, 5)
    assert world.manifests() == ["1.manifest", "2.manifest", "3.manifest"]


def test_d7_a_copied_place_is_not_taken_while_a_run_delivers_to_the_old_one(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    shutil.copytree(world.folder(), world.root / "copied")
    world.ledger.leases.claim([("a", "people")], "run 2", world.now, TTL)
    with pytest.raises(LeaseLost, match="run 2"):
        move(world, "copied")
    assert standing(world).sync.destination.path == "bucket/a"

"""D6: many files in local folders: one sync of the disk for their bytes, one for their names."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.files import spool, whole_disk
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.model.plans import PlanState
from cio_pipeline.pipeline.delivering import deliver
from cio_pipeline_tests.pipeline.sliced import state
from cio_pipeline_tests.world import World, during

SYNCS = {f"s{number}": number for number in range(1, 11)}


class Disk:
    """What happens to it, in order; its `broken` syncs, by their numbers from 1, fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, str]] = []
        self.broken = set[int]()
        self.known = True
        link, fsync, kept = os.link, os.fsync, Plans.deliver

        def linked(file: Any, path: Any) -> None:
            link(file, path)
            self.done.append(("name", Path(path).parent.name))

        def synced(descriptor: int) -> None:
            self.done.append(("sync one", Path(f"/proc/self/fd/{descriptor}").readlink().name))
            fsync(descriptor)

        def delivered(plans: Plans, lease: Any, some: Any) -> None:
            self.done.extend(("delivered", plan.sync_id) for plan in some)
            kept(plans, lease, some)

        monkeypatch.setattr(os, "link", linked)
        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Plans, "deliver", delivered)
        monkeypatch.setattr(spool, "can_sync_whole", lambda _: self.known)
        monkeypatch.setattr(whole_disk, "sync_whole", self._sync)
        monkeypatch.setattr(deliver, "KEEP_EVERY", 4)

    def _sync(self, _: int) -> None:
        self.done.append(("sync", ""))
        # What it is can be told no more, as without a free descriptor.
        self.known = False
        if len(self.places("sync", "")) in self.broken:
            raise OSError(errno.EIO, "Input/output error")

    def places(self, what: str, whose: str) -> list[int]:
        return [n for n, one in enumerate(self.done) if one == (what, whose)]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def register(world: World) -> World:
    for sync_id, workspace in SYNCS.items():
        world.sync(sync_id, workspace, exports=["metrics"])
    rows = [{"event_id": f"{one}", "workspace_id": one} for one in SYNCS.values()]
    world.commit("metrics", *rows, at=during(0))
    return world


def require_whole(world: World) -> None:
    for sync_id in SYNCS:
        assert world.read("metrics", sync_id).height == 1
        report = world.verify(sync_id)
        assert report.ok, report


def test_d6_bytes_are_durable_before_names_and_names_before_the_ledger_counts_on_them(
    world: World, disk: Disk
) -> None:
    found = register(world).run(0, "metrics")
    assert [one.error for one in found] == [None] * len(SYNCS)
    syncs = disk.places("sync", "")
    for sync_id in SYNCS:
        (named,) = disk.places("name", sync_id)
        (delivered,) = disk.places("delivered", sync_id)
        assert syncs[0] < named
        assert any(named < one < delivered for one in syncs)
    assert len(syncs) <= 1 + len(SYNCS)
    last = max(delivered for one in SYNCS for delivered in disk.places("delivered", one))
    ones = {whose for what, whose in disk.done[:last] if what == "sync one"}
    assert ones <= {"bucket", world.root.name}, "folders that were made; manifests come later"
    require_whole(world)


@pytest.mark.parametrize("why", ["few", "share", "broken"])
def test_d6_else_each_file_and_name_is_synced_for_itself(
    world: World, disk: Disk, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A disk that cannot write some file tells of which one if that is synced."""
    if why == "few":
        monkeypatch.setattr(deliver, "MANY", len(SYNCS) + 1)
    disk.known, disk.broken = why != "share", {1} if why == "broken" else set()
    register(world).run(0, "metrics")
    assert len(disk.places("sync", "")) == (1 if why == "broken" else 0)
    for number, sync_id in enumerate(SYNCS, 1):
        (file,) = disk.places("sync one", f"{number}-plain-0.parquet")
        (named,) = disk.places("name", sync_id)
        (delivered,) = disk.places("delivered", sync_id)
        assert file < named
        assert any(named < one < delivered for one in disk.places("sync one", sync_id))
    require_whole(world)


def test_d6_names_that_the_disk_did_not_keep_are_not_delivered_and_come_with_the_next_run(
    world: World, disk: Disk
) -> None:
    """Whoever's file it was; what has no files lost none, and the disk is asked once what it is."""
    disk.broken = {2}
    world.sync("nothing", 99, exports=["metrics"], write_empty=False)
    found = register(world).run(0, "metrics")
    failed = {one.sync_id for one in found if one.error is not None}
    assert failed == SYNCS.keys()
    assert len(disk.places("sync", "")) == 2
    for sync_id in failed:
        assert not disk.places("delivered", sync_id)
        plan = state(world, sync_id=sync_id).open_plan
        assert plan is not None
        assert plan.state is PlanState.SEALED
        assert world.manifests(sync_id) == []
    again = world.run(0, "metrics")
    assert len(disk.places("sync", "")) == 2
    for number in SYNCS.values():
        assert disk.places("sync one", f"metrics_v5_{number}_1_1.parquet")
    assert [one.error for one in again] == [None] * len(again)
    require_whole(world)

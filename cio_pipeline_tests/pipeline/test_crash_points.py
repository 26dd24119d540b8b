"""A run of each export dies at each of its effects; the next one leaves what a whole one leaves.

Every effect is enumerated. Dying before one that finds everything on disk as the one before it
did is the same crash: those are left out. Six CPU-seconds an export: in `make test` one of each
kind that this code knows, the others in `make test-deep`.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.files import whole_disk
from cio_pipeline.pipeline.delivering import deliver
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.faults.prepared import (
    BROKEN,
    changes,
    end_state,
    prepare,
    require_whole,
)
from cio_pipeline_tests.world import World

KINDS = {
    "cuts.decide",
    "leases.claim",
    "plans.open",
    "spool.folder",
    "plans.seal",
    "spool.sync",
    "leases.lost",
    "destination.put",
    "plans.deliver",
    "spool.discard",
    "leases.release",
    "plans.commit",
    "destination.put_bytes",
    "manifests.mark_put",
}
"""The effects that change something; those that read come on top."""

OF_EACH_KIND = {"people", "attributes", "events", "metrics", "deliveries", "campaigns"}
"""Changed or appended rows, a `chngs` series or none, other tables or none, bad rows or none."""


def on_disk(root: Path) -> set[tuple[Path, int, int]]:
    """All files below a folder with size and time; SQLite's index of its log holds no state."""
    found: set[tuple[Path, int, int]] = set()
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):  # a file that another thread has just renamed
            if path.suffix != ".db-shm":
                found.add((path, path.stat().st_size, path.stat().st_mtime_ns))
    return found


@dataclass
class Steps(Fuse):
    """An undisturbed run: which effects find another state on disk than the one before."""

    root: Path = Path()
    seen: object = None
    changed: list[int] = field(default_factory=list)

    def look(self) -> None:
        found = on_disk(self.root)
        if found != self.seen:
            self.changed.append(len(self.names) + 1)
        self.seen = found


def run(world: World, export: str, fuse: Fuse, owner: str) -> bool:
    """Run window 1; whether it got to the end."""
    try:
        world.run(1, export, services=watched(world.services, fuse, owner))
    except Crash:
        return False
    return True


def whole_run(world: World, export: str) -> list[int]:
    """The numbers of the effects of an undisturbed run, which sends something of everything."""
    steps = Steps(root=world.root)
    assert run(world, export, steps, "whole")
    assert set(steps.names) >= KINDS
    require_whole(world)
    assert world.read(export, "a").height == (4 if changes(export) else 3)
    assert world.read(export, "b").height == 3
    assert ("chngs" in str(world.names("a"))) == EXPORTS[export].split
    assert len(world.ledger.quarantine.entries()) == (2 if export in BROKEN else 0)
    return steps.changed


def sync_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file waits for the disk; each run syncs its files together, as one of many files does."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(whole_disk, "sync_whole", lambda _: None)
    monkeypatch.setattr(deliver, "MANY", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "export",
    [one if one in OF_EACH_KIND else pytest.param(one, marks=pytest.mark.deep) for one in EXPORTS],
)
def test_d6_a_crash_at_any_effect_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: str
) -> None:
    sync_nothing(monkeypatch)
    prepared = prepare(World(tmp_path / "prepared"), export)
    undisturbed = prepared.copy(tmp_path / "undisturbed")
    numbers = whole_run(undisturbed, export)
    expected = end_state(undisturbed, export)
    for at in numbers:
        world = prepared.copy(tmp_path / str(at))
        fuse = Fuse(at)
        assert not run(world, export, fuse, "first")
        world.now += TTL + timedelta(seconds=1)

        assert run(world, export, Fuse(), "second")

        try:
            assert end_state(world, export) == expected
            require_whole(world)
        except AssertionError as error:
            raise AssertionError(f"died before effect {at}, {fuse.names[-1]}") from error
        world.ledger.close()
        shutil.rmtree(world.root)

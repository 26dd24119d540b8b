"""An initial export dies at each of its effects; the next run goes on at the slice it came to.

As in test_crash_points, dying before an effect that finds the disk as the one before it did is
left out. About 25 CPU-seconds in all.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.model.scope import Lane
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.pipeline import sliced
from cio_pipeline_tests.pipeline.sliced import digests, fill, in_slices
from cio_pipeline_tests.pipeline.test_crash_points import Steps
from cio_pipeline_tests.world import World

ROWS = {"metrics": 12, "attributes": 9}
"""Rows that are sent to each workspace; three attributes are held back."""

KEY = {"metrics": "event_id", "attributes": "internal_customer_id"}

SLICE = 8
"""Rows of both workspaces: three slices, each with four rows of either."""


def run(world: World, export: str, fuse: Fuse, owner: str) -> sliced.Watched | None:
    """An initial export, as the lane `initial` runs it; what it read, None if it died."""
    source = sliced.Watched(world.services.source)
    chosen = in_slices(world, SLICE, source=source)
    try:
        world.run(0, export, lane=Lane.INITIAL, services=watched(chosen, fuse, owner))
    except Crash:
        return None
    return source


def committed_slices(world: World, export: str) -> int:
    """How many slices the open plan of sync a has behind it; 0 without one."""
    (state,) = world.ledger.registry.states([export], ["a"])
    return state.open_plan.slice if state.open_plan else 0


def in_between(world: World, export: str) -> None:
    """A tick finds nothing to do, and `verify` no fault in what was listed."""
    before = world.ledger.registry.states([export])
    assert world.run(0, export, lane=Lane.TICK, services=world.as_run("tick")) == ()
    assert world.ledger.registry.states([export]) == before
    for sync_id in "ab":
        report = world.verify(sync_id)
        assert report.ok or not world.manifests(sync_id), report


def finished(world: World, export: str) -> dict[str, dict[str, str]]:
    """Every row is there once, and all of it is listed; the digests of all files."""
    for sync_id, workspace in (("a", 1), ("b", 2)):
        sent = world.read(export, sync_id)
        assert set(sent["workspace_id"]) == {workspace}
        assert sent[KEY[export]].n_unique() == sent.height == ROWS[export]
        report = world.verify(sync_id)
        assert report.ok, report
        assert (report.warnings, report.files) == ((), 3), report
        (state,) = world.ledger.registry.states([export], [sync_id])
        assert (state.open_plan, state.position is None) == (None, False)
    if export == "metrics":
        assert sliced.parts(world) == [(1, 1), (1, 2), (1, 3)]
    held_back = [(entry.sync_id, entry.count) for entry in world.ledger.quarantine.entries()]
    assert held_back == ([("a", 1)] * 3 + [("b", 1)] * 3 if export == "attributes" else [])
    assert world.services.spool.folders() == ()
    return {sync_id: digests(world, sync_id) for sync_id in "ab"}


def undisturbed(world: World, export: str) -> tuple[list[int], dict[str, dict[str, str]]]:
    """The numbers of the effects of a run that does not die, and what it leaves."""
    steps = Steps(root=world.root)
    assert run(world, export, steps, "whole")
    assert [steps.names.count(f"plans.{verb}") for verb in ("open", "seal", "commit")] == [1, 3, 3]
    return steps.changed, finished(world, export)


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("export", ROWS)
def test_d6_a_crash_at_any_effect_of_a_slice_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    prepared = World(tmp_path / "prepared")
    prepared.sync("a")
    prepared.sync("b", 2)
    fill(prepared, 1, 2)
    numbers, expected = undisturbed(prepared.copy(tmp_path / "whole"), export)
    for at in numbers:
        world = prepared.copy(tmp_path / str(at))
        fuse = Fuse(at)
        assert run(world, export, fuse, "first") is None
        world.now += TTL + timedelta(seconds=1)
        try:
            in_between(world, export)
            done = committed_slices(world, export)
            again = run(world, export, Fuse(), "second")
            assert again
            read = [part for table, part in again.read if table == export and part]
            assert all(part.start >= done * SLICE for part in read)
            assert finished(world, export) == expected
        except AssertionError as error:
            raise AssertionError(f"died before effect {at}, {fuse.names[-1]}") from error
        world.ledger.close()
        shutil.rmtree(world.root)

"""An export in slices dies at each of its effects; the next run goes on at the slice it came to.

As in test_crash_points, dying before an effect that finds the disk as the one before it did is
left out. About 50 CPU-seconds in all.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.model.plans import Mode
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

SLICE = {Mode.INITIAL: 8, Mode.CHANGES: 4}
"""Rows: of both workspaces in an initial export, else of one; three slices of either."""

WINDOW = {Mode.INITIAL: 0, Mode.CHANGES: 1}
LANE = {Mode.INITIAL: Lane.INITIAL, Mode.CHANGES: Lane.ALL}
"""A tick sends one slice of changes and leaves the others to a run of its own, as this one is."""


def run(world: World, export: str, mode: Mode, fuse: Fuse, owner: str) -> sliced.Watched | None:
    """An export, in the lane of its mode; what it read, None if it died."""
    source = sliced.Watched(world.services.source)
    chosen = in_slices(world, SLICE[mode], source=source)
    try:
        run_of = watched(chosen, fuse, owner)
        world.run(WINDOW[mode], export, lane=LANE[mode], services=run_of)
    except Crash:
        return None
    return source


def committed_slices(world: World, export: str) -> int:
    """How many slices the open plan of sync a has behind it; 0 without one."""
    (state,) = world.ledger.registry.states([export], ["a"])
    return state.open_plan.slice if state.open_plan else 0


def in_between(world: World, export: str, mode: Mode) -> None:
    """A run in the other lane commits what was delivered and does nothing else; all is proven."""
    before = world.ledger.registry.states([export])
    names = {sync_id: world.names(sync_id) for sync_id in "ab"}
    other = Lane.TICK if mode is Mode.INITIAL else Lane.INITIAL
    assert world.run(WINDOW[mode], export, lane=other, services=world.as_run("other")) == ()
    for old, new in zip(before, world.ledger.registry.states([export]), strict=True):
        if old.open_plan is None or not old.open_plan.is_delivered:
            assert new == old
        elif old.open_plan.last_slice:
            assert (new.open_plan, new.position) == (None, old.open_plan.upper)
        else:
            assert new.open_plan
            assert new.open_plan.slice == old.open_plan.slice + 1
            assert new.position == old.position
    assert {sync_id: world.names(sync_id) for sync_id in "ab"} == names
    for sync_id in "ab":
        report = world.verify(sync_id)
        assert report.ok or not world.manifests(sync_id), report


def finished(world: World, export: str, mode: Mode) -> dict[str, dict[str, str]]:
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
        one_number = [(1, 1), (1, 2), (1, 3)]
        numbers = one_number if mode is Mode.INITIAL else [(1, None), (2, None), (3, None)]
        assert sliced.parts(world) == numbers
    held_back = [(entry.sync_id, entry.count) for entry in world.ledger.quarantine.entries()]
    assert held_back == ([("a", 1)] * 3 + [("b", 1)] * 3 if export == "attributes" else [])
    assert world.services.spool.folders() == ()
    return {sync_id: digests(world, sync_id) for sync_id in "ab"}


def undisturbed(
    world: World, export: str, mode: Mode
) -> tuple[list[int], dict[str, dict[str, str]]]:
    """The numbers of the effects of a run that does not die, and what it leaves."""
    steps = Steps(root=world.root)
    assert run(world, export, mode, steps, "whole")
    # Changes of workspaces have slices of their own; the last ones are committed together.
    times = 3 if mode is Mode.INITIAL else 6
    verbs = [steps.names.count(f"plans.{verb}") for verb in ("open", "seal", "deliver", "commit")]
    assert verbs == [1, times, times, 3 if mode is Mode.INITIAL else 5]
    return steps.changed, finished(world, export, mode)


@pytest.mark.slow
@pytest.mark.parametrize("export", ROWS)
@pytest.mark.parametrize("mode", SLICE)
def test_d6_a_crash_at_any_effect_of_a_slice_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, export: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    prepared = World(tmp_path / "prepared")
    prepared.sync("a")
    prepared.sync("b", 2)
    if mode is Mode.CHANGES:
        prepared.run(0, export)
    fill(prepared, 1, 2, number=WINDOW[mode])
    numbers, expected = undisturbed(prepared.copy(tmp_path / "whole"), export, mode)
    for at in numbers:
        world = prepared.copy(tmp_path / str(at))
        fuse = Fuse(at)
        assert run(world, export, mode, fuse, "first") is None
        world.now += TTL + timedelta(seconds=1)
        try:
            in_between(world, export, mode)
            done = committed_slices(world, export)
            again = run(world, export, mode, Fuse(), "second")
            assert again
            read = [part for table, part in again.read if table == export and part]
            assert all(part.start >= done * SLICE[mode] for part in read)
            assert finished(world, export, mode) == expected
        except AssertionError as error:
            raise AssertionError(f"died before effect {at}, {fuse.names[-1]}") from error
        world.ledger.close()
        shutil.rmtree(world.root)

"""C1: killed at any effect and run again, no call is lost, doubled or under another position."""

import hashlib
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.calls.steps import call_row, calls_sync, commit, names, run, window
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.faults.child import run_child
from cio_pipeline_tests.pipeline.test_crash_points import KINDS, Steps, sync_nothing
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import NOON, World
from cio_pipeline_tests.world import window as quarter


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two syncs that have got one position each, and calls of three types that wait."""
    world = World(tmp_path_factory.mktemp("calls"))
    calls_sync(world, "a", 1)
    calls_sync(world, "b", 2, format="csv")
    for workspace in (1, 2):
        commit(world, call_row("track", {"event": "old"}, workspace=workspace), at=NOON)
    run(world, 0)
    for workspace in (1, 2):
        rows = [call_row("track", {"event": str(n)}, workspace=workspace) for n in range(3)]
        rows += [call_row("page", {}, workspace=workspace), call_row("track", "{", NOON, workspace)]
        commit(world, *rows, at=window(1).start)
    return world


def end_state(world: World) -> dict[str, Any]:
    """What lies in the buckets, and what the ledger holds of them."""
    found: dict[str, Any] = {
        sync_id: {
            name: hashlib.sha256((world.folder(sync_id) / name).read_bytes()).hexdigest()
            for name in names(world, sync_id)
        }
        for sync_id in ("a", "b")
    }
    states = world.ledger.registry.states(["calls"])
    found["states"] = [(s.sync.id, s.position, s.open_plan, s.next_sequence) for s in states]
    entries = world.ledger.quarantine.entries()
    found["quarantine"] = [(one.sync_id, one.identity, one.reason) for one in entries]
    return found


def require_whole(world: World) -> None:
    for sync_id in ("a", "b"):
        report = world.verify(sync_id)
        assert report.ok, report
        assert not report.warnings, report
        assert report.files == len(names(world, sync_id)) == 3
    assert world.services.spool.folders() == ()


def test_a_crash_at_any_effect_loses_doubles_and_renumbers_nothing(
    prepared: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_nothing(monkeypatch)
    whole = prepared.copy(tmp_path / "whole")
    steps = Steps(root=whole.root)
    run(whole, 1, watched(whole.services, steps, "whole"))
    expected = end_state(whole)
    require_whole(whole)
    whole.ledger.close()
    assert set(steps.names) >= KINDS
    for at in steps.changed:
        world = prepared.copy(tmp_path / str(at))
        with pytest.raises(Crash):
            run(world, 1, watched(world.services, Fuse(at), "dead"))
        world.now += TTL + timedelta(seconds=1)
        run(world, 1, world.as_run("heir"))
        assert end_state(world) == expected, steps.names[at - 1]
        require_whole(world)
        world.ledger.close()
        shutil.rmtree(world.root)


@pytest.mark.parametrize(
    ("name", "moment", "nth"),
    [
        ("plans.seal", "torn", 1),
        ("destination.put", "torn", 2),
        ("plans.deliver", "torn", 1),
        ("plans.commit", "torn", 1),
    ],
)
def test_a_killed_process_loses_doubles_and_renumbers_nothing(
    prepared: World, tmp_path: Path, name: str, moment: str, nth: int
) -> None:
    """The child runs a window of 15 minutes: what is sent is told by positions alone (D6)."""
    whole = prepared.copy(tmp_path / "whole")
    _run_quarter(whole)
    expected = end_state(whole)
    whole.ledger.close()
    world = prepared.copy(tmp_path / "killed")
    done = run_child(world, "calls", "kill", name=name, moment=moment, nth=nth)
    assert done.returncode == -signal.SIGKILL, done.said
    heir = World(world.root, now=quarter(1).end + TTL + timedelta(seconds=2))
    _run_quarter(heir)
    assert end_state(heir) == expected
    require_whole(heir)
    heir.ledger.close()


def _run_quarter(world: World) -> None:
    world.now = max(world.now, quarter(1).end + timedelta(seconds=1))
    world.run(1, "calls", services=world.as_run("heir"))


@pytest.mark.parametrize("file_format", ["json", "csv", "parquet"])
def test_d10_files_that_are_gone_or_altered_are_put_back(tmp_path: Path, file_format: str) -> None:
    world = World(tmp_path)
    calls_sync(world, format=file_format, write_empty=True)
    for number in range(2):
        rows = [call_row("track", {"event": f"{number} {n}"}) for n in range(3)]
        commit(world, *rows, at=window(number).start)
        run(world, number)
    before = {path: path.read_bytes() for path in world.folder().rglob("*.*")}
    assert len(names(world)) == 12
    altered, *_ = world.folder().glob("*.2.track.*")
    altered.write_bytes(b"x")
    for path in world.folder().glob("*.1.*"):
        path.unlink()

    files, manifests = restore(world.services), restore_manifests(world.services)

    assert [one.error for one in (*files, *manifests)] == [None] * (6 + 1 + len(manifests))
    assert {path: path.read_bytes() for path in world.folder().rglob("*.*")} == before


def test_d10_a_lost_ledger_is_rebuilt_and_positions_go_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    sync = calls_sync(world)
    for number in range(3):
        commit(world, call_row("track", {"event": str(number)}), at=window(number).start)
        if number < 2:
            run(world, number)
    world.now = window(2).end
    run_export(world.services, "calls", window(2), Scope())  # and no manifest tells of it
    world = without_ledger(world)

    (told,) = rebuild(world.services, [sync])

    assert (told.error, told.manifests, told.void) == (None, 2, 1)
    run(world, 3)
    # The file that no manifest lists stays, its position is void, its call is sent again.
    assert names(world) == [f"2184.13699.{n}.track.json" for n in (1, 2, 3, 4)]
    report = world.verify()
    assert report.ok, report
    assert [warning.key for warning in report.warnings] == ["2184.13699.3.track.json"]

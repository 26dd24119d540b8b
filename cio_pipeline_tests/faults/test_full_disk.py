"""Disks that are full: a process may not let files grow, so that write(2) really fails."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.faults.child import run_child
from cio_pipeline_tests.faults.prepared import SYNCS, end_state, prepare, require_whole
from cio_pipeline_tests.world import World, window

LEDGER = ("leases.claim", "plans.open", "plans.seal", "plans.deliver", "plans.commit")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = prepare(World(tmp_path_factory.mktemp("prepared") / "world"), "people")
    yield world
    world.ledger.close()


@pytest.fixture(scope="module")
def expected(prepared: World) -> dict[str, Any]:
    world = prepared.copy(prepared.root.with_name("undisturbed"))
    world.run(1, "people")
    return end_state(world, "people")


def run_full(world: World, *names: str) -> str:
    """Run window 1 in a process whose disk is full during some effects; what it says of it."""
    done = run_child(world, "people", "full", names=names)
    assert done.returncode == 0, done.said
    assert str(world.root / "bucket") not in done.said
    return done.said


def require_recovery(world: World, expected: dict[str, Any]) -> None:
    """With room again, the next run delivers once."""
    world.now = window(1).end + TTL + timedelta(seconds=2)
    world.run(1, "people")
    assert end_state(world, "people") == expected
    require_whole(world)


def put_on_another_disk(bucket: Path, disk: Path) -> None:
    """What lies on the spool's own disk takes no room: files only get another name."""
    moved = shutil.move(bucket, disk)
    bucket.symlink_to(moved)


def objects(world: World) -> int:
    """The objects that readers see."""
    stores = [world.services.destinations(world.ledger.registry.get(sync).sync) for sync in SYNCS]
    return sum(len(list(store.list())) for store in stores)


@pytest.mark.slow
def test_a_full_spool_is_named_and_the_next_run_delivers(
    tmp_path: Path, prepared: World, expected: dict[str, Any]
) -> None:
    world = prepared.copy(tmp_path / "world")
    before = objects(world)
    said = run_full(world, "encode")
    assert "DiskFull" in said
    assert "No space left in the spool" in said
    assert objects(world) == before
    assert not list(world.services.spool.root.rglob("*.parquet"))
    require_recovery(world, expected)


@pytest.mark.slow
def test_a_full_bucket_is_named_and_the_next_run_delivers(
    tmp_path: Path, other_disk: Path, prepared: World, expected: dict[str, Any]
) -> None:
    world = prepared.copy(tmp_path / "world")
    put_on_another_disk(world.root / "bucket", other_disk)
    before = objects(world)
    said = json.loads(run_full(world, "destination.put"))
    assert len(said["errors"]) == 2
    assert all(error.startswith("DiskFull: Cannot write 'people_") for error in said["errors"])
    assert objects(world) == before
    require_recovery(world, expected)


@pytest.mark.slow
def test_a_bucket_without_room_for_the_manifest_gets_it_with_the_next_run(
    tmp_path: Path, prepared: World, expected: dict[str, Any]
) -> None:
    world = prepared.copy(tmp_path / "world")
    run_full(world, "destination.put_bytes")
    errors = world.ledger.failing.of_window(window(1).end)
    assert {pair: "Cannot write '_cio/" in text for pair, text in errors.items()} == {
        ("a", "manifest"): True,
        ("b", "manifest"): True,
    }
    assert len(world.manifests("a")) == 1
    require_recovery(world, expected)


@pytest.mark.slow
@pytest.mark.parametrize("names", [*((name,) for name in LEDGER), LEDGER], ids="+".join)
def test_a_full_disk_of_the_ledger_is_named_and_the_next_run_delivers(
    tmp_path: Path, prepared: World, expected: dict[str, Any], names: tuple[str, ...]
) -> None:
    world = prepared.copy(tmp_path / "world")
    said = run_full(
        world, *names, *(("errors.record", "leases.release") if names == LEDGER else ())
    )
    if names == ("plans.commit",):
        said = str(world.ledger.failing.of_window(window(1).end))
    assert "No space is left for the ledger" in said
    require_recovery(world, expected)

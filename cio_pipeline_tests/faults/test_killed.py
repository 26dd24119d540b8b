"""A process is killed once at each kind of effect; the next run leaves every file once.

Each kill is a process of its own.
"""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.faults.child import run_child
from cio_pipeline_tests.faults.prepared import end_state, prepare, require_whole
from cio_pipeline_tests.world import World, window

KILLS = [
    ("cuts.decide", "before"),
    ("leases.claim", "torn"),
    ("plans.open", "torn"),
    ("plans.open", "after"),
    ("spool.folder", "after"),
    ("plans.seal", "before"),
    ("plans.seal", "torn"),
    ("plans.seal", "after"),
    ("destination.put", "before"),
    ("destination.put", "torn"),
    ("destination.put", "after"),
    ("plans.deliver", "before"),
    ("plans.deliver", "torn"),
    ("plans.deliver", "after"),
    ("leases.release", "torn"),
    ("plans.commit", "before"),
    ("plans.commit", "torn"),
    ("plans.commit", "after"),
    ("destination.put_bytes", "before"),
    ("destination.put_bytes", "torn"),
    ("manifests.mark_put", "torn"),
]


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


def killed(world: World, kind: str, **options: Any) -> None:
    """Run window 1 in a process that dies."""
    done = run_child(world, "people", kind, **options)
    assert done.returncode == -signal.SIGKILL, done.said


def require_recovery(world: World, expected: dict[str, Any]) -> None:
    """Once the lease has expired, the next run leaves what an undisturbed one leaves."""
    world.now = window(1).end + TTL + timedelta(seconds=2)
    world.run(1, "people")
    assert end_state(world, "people") == expected
    require_whole(world)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "moment"), KILLS)
def test_d6_a_killed_process_loses_and_doubles_nothing(
    tmp_path: Path, prepared: World, expected: dict[str, Any], name: str, moment: str
) -> None:
    world = prepared.copy(tmp_path / "world")
    killed(world, "kill", name=name, moment=moment)
    require_recovery(world, expected)


@pytest.mark.slow
def test_d6_a_process_killed_between_two_puts(
    tmp_path: Path, prepared: World, expected: dict[str, Any]
) -> None:
    world = prepared.copy(tmp_path / "world")
    killed(world, "kill", name="destination.put", nth=2)
    assert len(world.names("a")) == 2
    require_recovery(world, expected)


@pytest.mark.slow
def test_d6_a_process_killed_while_it_encodes(
    tmp_path: Path, prepared: World, expected: dict[str, Any]
) -> None:
    world = prepared.copy(tmp_path / "world")
    killed(world, "encoding")
    require_recovery(world, expected)

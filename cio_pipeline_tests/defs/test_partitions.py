"""The partitions of a deployment begin with its first day; no window before it is asked for."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.defs import partitions, sensors
from cio_pipeline.pipeline.scheduling.schedule import MAX_TICKS
from cio_pipeline_tests.defs.running import dagster_on
from cio_pipeline_tests.defs.test_job import people
from cio_pipeline_tests.world import World, during, window

COUNTED = """
from datetime import timedelta
from cio_pipeline.defs.partitions import FIRST, WINDOWS_OF
for one in WINDOWS_OF.values():
    print(len(one.get_partition_keys(FIRST + timedelta(days=1))))
"""


def test_an_asset_has_the_partitions_of_the_days_since_the_first_sync(world: World) -> None:
    world.sync("a")
    environment = {**os.environ, "CIO_HOME": str(world.root), "CIO_FIRST_WINDOW": ""}
    done = subprocess.run(
        [sys.executable, "-c", COUNTED], env=environment, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"96", b"144", b"96"]


def test_d6_the_sensor_asks_for_no_window_that_is_no_partition_and_the_next_one_sends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync was registered as of a day before the process began."""
    world.sync("a", exports=["people"])
    world.run(0, "people")
    people(world, 1, number=1)
    people(world, 1, number=2, name="y")
    world.now = window(2).end + timedelta(seconds=1)
    monkeypatch.setattr(sensors, "FIRST", window(2).start)
    with dagster_on(world) as dagster:
        (request,), _ = dagster.sense()
        assert request.partition_key == window(2).key
        assert dagster.requested(request, "people").success
    assert world.read("people").height == 2


def test_d6_windows_that_are_no_partition_do_not_keep_later_ones_from_being_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before: as many as are asked for at a time were left out, the same ones each time."""
    world.sync("a", exports=["people"])
    world.run(0, "people")
    people(world, 1, number=1)
    world.now = window(2 * MAX_TICKS).end + timedelta(seconds=1)
    first = MAX_TICKS + 2
    monkeypatch.setattr(sensors, "FIRST", window(first).start)
    with dagster_on(world) as dagster:
        requests, _ = dagster.sense()
        windows = [window(number).key for number in range(first, 2 * MAX_TICKS + 1)]
        assert [one.partition_key for one in requests] == windows
        assert dagster.requested(requests[0], "people").success
    assert world.read("people").height == 1


def test_the_sensor_says_that_the_first_window_is_yet_to_come(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error in the year would look like a deployment that has nothing to do."""
    world.sync("a", exports=["people"])
    people(world, 1)
    world.now = window(1).end
    monkeypatch.setattr(sensors, "FIRST", window(400).start)
    with dagster_on(world) as dagster:
        assert "CIO_FIRST_WINDOW" in str(dagster.sense()[1])


def test_export_runs_no_window_before_and_says_why(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.setenv("DAGSTER_HOME", str(world.root / "dagster"))
    monkeypatch.setattr(partitions, "FIRST", window(1).start)
    world.sync("a", at=during(2))
    world.sync("b", 2, at=during(0))
    told = CliRunner().invoke(app, ["export", "--window", during(0).isoformat()])
    assert told.exit_code == 0
    assert "a was registered at 2026-03-01 12:35" in told.stdout
    assert "b was sent nothing: no window before 2026-03-01 12:15" in told.stdout

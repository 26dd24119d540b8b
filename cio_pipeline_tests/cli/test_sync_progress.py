"""`cio-pipeline sync show` tells how far an initial export has come."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline_tests.pipeline.sliced import Broken, fill, in_slices
from cio_pipeline_tests.world import World


@pytest.fixture
def halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two of three slices of metrics were delivered; people have not begun."""
    world = World(tmp_path)
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    monkeypatch.delenv("CIO_LEDGER", raising=False)
    sync = world.sync()
    fill(world, 1)
    bucket = Broken(world.services.destinations(sync), 2)
    world.run(0, "metrics", services=in_slices(world, 4, destinations=lambda _: bucket))
    return world


def test_d6_a_running_initial_export_shows_slices_rows_and_files(halfway: World) -> None:
    found = CliRunner().invoke(app, ["sync", "show", "a", "--json"])
    assert found.exit_code == 0, found.output
    shown = {one["export"]: one for one in json.loads(found.stdout)["exports"]}
    assert shown["metrics"]["open_plan"] == "initial 2/3 slices, 8 rows, 2 files"
    assert shown["metrics"]["position"] is None
    assert shown["people"]["open_plan"] is None


def test_a_plan_of_one_slice_shows_its_state(halfway: World) -> None:
    bucket = Broken(halfway.services.destinations(halfway.sync()), 0)
    halfway.run(0, "people", services=halfway.as_run("run 1", destinations=lambda _: bucket))
    found = CliRunner().invoke(app, ["sync", "show", "a", "--json"])
    shown = {one["export"]: one for one in json.loads(found.stdout)["exports"]}
    assert shown["people"]["open_plan"] == "initial (sealed)"

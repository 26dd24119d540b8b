"""`cio-pipeline sync show` tells how far an initial export has come."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli import sync
from cio_pipeline.cli.app import app
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.switches import pause
from cio_pipeline_tests.pipeline.sliced import Broken, fill, in_slices
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two of three slices of metrics were delivered; people have not begun."""
    world = World(tmp_path)
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    monkeypatch.delenv("CIO_LEDGER", raising=False)
    made = world.sync()
    fill(world, 1)
    bucket = Broken(world.services.destinations(made), 2)
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


def test_a_sync_says_at_once_what_is_late_and_why(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(sync, "services", lambda: world.services)
    world.sync("a", exports=["people", "events"], owner="growth")
    world.sync("b", 2, exports=["people"])

    def shown(sync_id: str = "a") -> str:
        return CliRunner().invoke(app, ["sync", "show", sync_id]).output.splitlines()[0]

    assert shown().startswith("✗ first files: not all of its exports have begun")
    world.run(0)
    told = "all was delivered up to 2026-03-01 12:15 UTC, 0 min ago"
    assert shown() == f"✓ well: {told}; due up to 2026-03-01 12:00 UTC"
    world.now = window(9).end
    assert "late: all was delivered up to 2026-03-01 12:15 UTC, 2 h 15 min ago" in shown()
    world.commit("people", person("ben"), at=during(9))
    folder = world.folder("a")
    folder.parent.mkdir()
    folder.write_text("in the way")
    world.run(9)
    assert shown().startswith("✗ breaker: ")
    assert shown("b").startswith("✓ well: ")
    done = CliRunner().invoke(app, ["sync", "show", "a", "--json"])
    found = json.loads(done.stdout)
    assert found["condition"]["condition"] == "breaker"
    assert [one["kind"] for one in found["wrong"]] == ["breaker"]
    assert "sync resume a" in found["wrong"][0]["next_step"]
    pause(world.services, Order("b", world.now, "me"))
    assert shown("b").startswith("✗ paused: ")

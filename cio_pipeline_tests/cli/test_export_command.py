"""O8, D10: what `cio-pipeline export` tells scripts when something was left undone."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def export(number: int) -> tuple[int, Any]:
    """The exit code of a run of one window, and what it printed."""
    words = ["export", "--window", during(number).isoformat(), "--json"]
    done = CliRunner().invoke(app, words)
    return done.exit_code, json.loads(done.stdout)


def test_d10_a_manifest_that_cannot_be_written_is_told_and_the_exit_code_is_1(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.setenv("DAGSTER_HOME", str(world.root / "dagster"))
    monkeypatch.chdir(world.root)  # paths of local destinations are relative to it
    world.sync("a")
    world.commit("people", person("ann"), at=during(0))
    in_the_way = world.folder() / "_cio"
    world.folder().mkdir(parents=True)
    in_the_way.write_text("a file")

    code, (run,) = export(0)

    assert code == 1
    assert run["success"], "no step failed: its check is red"
    assert [one["sync_id"] for one in run["unlisted"]] == ["a"]
    assert "_cio" in run["unlisted"][0]["error"]
    assert world.names() == ["people_v5_1_1.parquet"]

    in_the_way.unlink()
    close_breaker(world.ledger, "a")
    code, (run,) = export(1)
    assert (code, run["unlisted"]) == (0, [])
    assert world.verify().ok


def test_d6_a_table_that_cannot_be_read_is_told_in_our_words_and_stops_no_other_export(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.root / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.setenv("DAGSTER_HOME", str(world.root / "dagster"))
    monkeypatch.chdir(world.root)
    world.sync("a")
    world.commit("people", person("ann"), at=during(0))
    log = world.root / "source" / "object_types" / "_delta_log"
    max(log.glob("*.json")).write_text("{broken")

    code, (run,) = export(0)

    assert code == 1
    (error,) = run["errors"]
    assert error.startswith("object_types: ")
    assert "Table object_types cannot be read" in error
    assert "Kernel" not in error
    assert "unknown" not in error
    assert "people_v5_1_1.parquet" in world.names()

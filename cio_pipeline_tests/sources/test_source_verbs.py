"""`cio-pipeline source init`, `load` and `status`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline_tests.pipeline.test_broken_tables import break_log
from cio_pipeline_tests.world import World


def test_the_command_line_creates_loads_and_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    created = printed("init", "--json")
    assert created["created"] == list(SOURCE_TABLES)
    assert printed("init", "--json")["created"] == []
    file = tmp_path / "attributes.csv"
    header = "workspace_id,internal_customer_id,attribute_name,attribute_value,timestamp"
    file.write_text(f'{header}\n1,p1,plan,"""gold""",2026-01-01T00:00:00Z\n')
    loaded = printed("load", "attributes", str(file), "--at", "2026-01-02T00:00", "--json")
    assert loaded == {"table": "attributes", "rows": 1, "version": 1, "at": "2026-01-02T00:00:00Z"}
    status = {one["table"]: one for one in printed("status", "--json")}
    assert status["attributes"]["rows"] == 1
    assert status["attributes"]["last_change"] == "2026-01-02T00:00:00Z"
    assert CliRunner().invoke(app, ["source", "status"]).exit_code == 0
    unknown = CliRunner().invoke(app, ["source", "load", "attribute", str(file)])
    assert isinstance(unknown.exception, InvalidConfig)
    assert "Did you mean attributes?" in str(unknown.exception)


def printed(*arguments: str) -> Any:
    outcome = CliRunner().invoke(app, ["source", *arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return json.loads(outcome.stdout)


def test_status_ends_for_no_table_and_names_times_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D6, O8: a broken table is a row, a commit that waits is told with what waits behind it."""
    monkeypatch.setenv("CIO_HOME", str(world.root))
    break_log(world, "subjects")
    ahead = datetime.now(UTC) + timedelta(days=365)
    world.commit("events", {"event_id": "e1"}, at=ahead)
    world.commit("events", {"event_id": "e2"}, at=datetime.now(UTC))

    status = {one["table"]: one["problems"] for one in printed("status", "--json")}

    assert set(status) == set(SOURCE_TABLES)
    assert len(status["subjects"]) == 1
    (told,) = status["events"]
    assert (
        f"dated {ahead:%Y-%m-%d %H:%M} UTC by its cio.committed_at, with 1 later commits," in told
    )
    assert status["people"] == []


def test_status_tells_of_a_writer_whose_clock_is_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_HOME", str(world.root))
    world.commit("events", {"event_id": "e1"}, at=datetime.now(UTC))
    log = Path(world.source_uri) / "events" / "_delta_log" / f"{1:020d}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    info = next(line["commitInfo"] for line in lines if "commitInfo" in line)
    del info["cio.committed_at"]
    info["timestamp"] += 365 * 24 * 3600 * 1000
    log.write_text("\n".join(map(json.dumps, lines)))

    status = {one["table"]: one["problems"] for one in printed("status", "--json")}

    assert len(status["events"]) == 1
    assert "its writer's clock is ahead of ours" in status["events"][0]

"""`cio-pipeline source init`, `load` and `status`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.source import app
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig


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
    assert CliRunner().invoke(app, ["status"]).exit_code == 0
    unknown = CliRunner().invoke(app, ["load", "attribute", str(file)])
    assert isinstance(unknown.exception, InvalidConfig)
    assert "Did you mean attributes?" in str(unknown.exception)


def printed(*arguments: str) -> Any:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0
    return json.loads(outcome.stdout)

"""M1, M2: loading messages, previewing keys, applying templates, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app

SYNC = """
syncs:
  - id: m
    workspace_id: 1
    feed: messages
    key_template: "{template}"
    destination: {{type: local, path: bucket/m}}
"""
METADATA = {"event-id": "e1", "timestamp": "2026-03-01T12:00:00Z", "objectName": "contacts"}
LINE = json.dumps({"metadata": METADATA, "body": {"data": {"n": 12041091891110123}}})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.delenv("CIO_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, [*words], input=given)


def said(*words: str, given: str | None = None) -> Any:
    return json.loads(run(*words, "--json", given=given).stdout)


def test_lines_that_cannot_be_understood_are_told_and_the_others_loaded(home: Path) -> None:
    (home / "m.ndjson").write_text(f"{LINE}\n{LINE[:-2]}\n{LINE}\n")
    run("source", "init")
    loaded = said("source", "load", "messages", "m.ndjson", "--workspace", "1")
    assert (loaded["rows"], loaded["version"]) == (2, 1)
    assert loaded["left_out"] == [{"file": "m.ndjson", "line": 2, "reason": "is no valid JSON"}]


def test_a_message_loaded_again_is_new_only_if_it_changed(home: Path) -> None:
    (home / "m.ndjson").write_text(f"{LINE}\n")
    run("source", "init")
    words = ("source", "load", "messages", "m.ndjson", "--workspace", "1")
    assert [said(*words)["rows"] for _ in range(2)] == [1, 0]
    (home / "m.ndjson").write_text(LINE.replace("contacts", "deals"))
    changed = said(*words)
    assert (changed["rows"], changed["known"]) == (1, 0)


def test_messages_need_a_workspace_and_nothing_else_takes_one(home: Path) -> None:
    (home / "m.ndjson").write_text(LINE)
    without = run("source", "load", "messages", "m.ndjson")
    assert "Name their workspace with --workspace" in str(without.exception)
    other = run("source", "load", "people", "m.ndjson", "--workspace", "1")
    assert "--workspace is for NDJSON files of messages and calls" in str(other.exception)


def test_a_key_is_previewed_from_a_file_or_from_stdin(home: Path) -> None:
    template = "join('/', [metadata.objectName, to_string(data.n)])"
    found = said("sync", "key-preview", "--template", template, given=LINE)
    assert [one["key"] for one in found["messages"]] == ["contacts/12041091891110123"]
    assert found["messages"][0]["metadata"] == METADATA
    assert len(found["warnings"]) == 2
    (home / "one.json").write_text(json.dumps(json.loads(LINE), indent=2))
    found = said("sync", "key-preview", "--message", "one.json")
    assert [one["key"] for one in found["messages"]] == ["2026-03-01T12:00:00Z_e1.json"]


def test_the_preview_fails_if_a_message_gets_no_key() -> None:
    done = run("sync", "key-preview", "--template", "data.missing", "--json", given=LINE)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["messages"][0]["problem"] == (
        "the key template gives null, not a string"
    )


def test_applying_warns_of_a_template_and_refuses_one_that_cannot_be_used(home: Path) -> None:
    run("source", "init")
    (home / "s.yaml").write_text(SYNC.format(template="metadata.objectName"))
    applied = run("sync", "apply", "s.yaml")
    assert applied.exit_code == 0
    assert "the later one overwrites the earlier" in applied.stderr
    previewed = said("sync", "key-preview", "m", given=LINE)
    assert previewed["messages"][0]["key"] == "contacts"
    (home / "s.yaml").write_text(SYNC.format(template="metadata.objectname"))
    refused = run("sync", "apply", "s.yaml")
    assert "Sync 'm': The key template uses metadata.objectname" in str(refused.exception)

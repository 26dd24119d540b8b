"""C2: loading calls, and sending them, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app

SYNC = """
syncs:
  - id: c
    workspace_id: 1
    feed: calls
    integration_id: 2184
    action_id: 13699
    destination: {type: local, path: bucket/c}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.delenv("CIO_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def said(*words: str) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_calls_go_from_a_file_to_the_bucket(home: Path) -> None:
    (home / "s.yaml").write_text(SYNC)
    (home / "c.ndjson").write_text(
        '{"type": "Track", "event": "Order Done", "properties": {"total": 1.10}}\n'
        '{"type": "page"\n'
        '{"type": "page", "name": "Home"}\n'
    )
    run("source", "init")
    said("sync", "apply", "s.yaml", "--at", "2026-03-01T12:00")
    at = ("--at", "2026-03-01T12:05")
    loaded = said("source", "load", "calls", "c.ndjson", "--workspace", "1", *at)
    assert (loaded["rows"], loaded["version"]) == (2, 1)
    assert loaded["left_out"] == [{"file": "c.ndjson", "line": 2, "reason": "is no valid JSON"}]
    plan = said("plan", "--feed", "calls", "--window", "2026-03-01T12:03")
    assert [(one["decision"], one["rows"]) for one in plan] == [("Changes", 2)]

    done = said("export", "--feed", "calls", "--window", "2026-03-01T12:03")

    assert done[0]["window"] == "2026-03-01-12:00"
    sent = {one["export"]: (one["files"], one["rows"]) for one in done[0]["sent"]}
    assert sent["calls/track"] == sent["calls/page"] == (1, 1)
    assert sent["calls/alias"] == (0, 0)
    assert sorted(path.name for path in (home / "bucket" / "c").glob("*.json")) == [
        "2184.13699.1.page.json",
        "2184.13699.1.track.json",
    ]
    track = (home / "bucket" / "c" / "2184.13699.1.track.json").read_text()
    assert '"event":"order_done","event_text":"Order Done","properties":{"total": 1.10}' in track
    assert said("sync", "show", "c")["exports"][0]["next_sequence"] == "plain 2"
    shown = run("sync", "show", "c").stdout
    assert "13699" in shown
    assert "stems" not in shown, "which only data-out has"
    assert run("verify").exit_code == 0


def test_c2_a_file_loaded_again_later_changes_nothing(home: Path) -> None:
    """Also if lines came to it, as long as SDKs gave the others ids."""
    line = '{"type": "page", "messageId": "%s", "n": 1}\n'
    (home / "c.ndjson").write_text(line % "a" + line % "b")
    run("source", "init")
    words = ("source", "load", "calls", "c.ndjson", "--workspace", "1")
    first = said(*words, "--at", "2026-03-01T12:05")
    assert (first["rows"], first["known"]) == (2, 0)
    again = said(*words, "--at", "2026-03-01T12:15")
    assert (again["rows"], again["known"], again["version"]) == (0, 2, 1)
    (home / "c.ndjson").write_text(line % "a" + line % "c" + line % "b")
    more = said(*words, "--at", "2026-03-01T12:25")
    assert (more["rows"], more["known"], more["version"]) == (1, 2, 2)
    assert said("source", "load", "calls", "c.ndjson", "--workspace", "2")["rows"] == 3


def test_calls_need_a_workspace(home: Path) -> None:
    (home / "c.ndjson").write_text('{"type": "page"}')
    done = run("source", "load", "calls", "c.ndjson")
    assert "Name their workspace with --workspace" in str(done.exception)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("key_template: data.id", "key_template is an option of messages, not of calls"),
        ("exports: [people]", "exports is an option of data-out, not of calls"),
        ("layout: dated", "layout is an option of data-out, not of calls"),
        ("cadence: 15m", "calls is served every 10m, 1h, 1d, not 15m"),
    ],
)
def test_options_of_other_feeds_are_refused(home: Path, option: str, told: str) -> None:
    (home / "s.yaml").write_text(f"{SYNC.rstrip()}\n    {option}\n")
    assert told in str(run("sync", "apply", "s.yaml").exception)

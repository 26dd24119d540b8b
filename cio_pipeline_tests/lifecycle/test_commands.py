"""The verbs on the command line, and the history that they leave."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline_tests.recovery.loss import go_on
from cio_pipeline_tests.world import World

Run = Callable[..., Result]
SYNC = """
syncs:
  - id: a
    workspace_id: 1
    version: {version}
    owner: {owner}
    exports: [people, events]
    destination: {{type: local, path: bucket/a}}
"""


@pytest.fixture
def run(home: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LOGNAME", "ann")
    return lambda *arguments: CliRunner().invoke(app, arguments)


def answer(done: Result) -> Any:
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_d7_the_history_tells_who_did_what_when_and_from_what_to_what(
    world: World, run: Run
) -> None:
    def applied(owner: str) -> None:
        (world.root / "syncs.yaml").write_text(SYNC.format(version=5, owner=owner))
        answer(run("sync", "apply", "syncs.yaml", "--at", "2026-03-01T12:00", "--json"))

    applied("x@acme.example")
    applied("y@acme.example")
    applied("y@acme.example")
    answer(run("sync", "pause", "a", "--export", "people", "--at", "2026-03-01T12:05", "--json"))
    answer(run("sync", "disable", "a", "--at", "2026-03-01T12:06", "--json"))
    entries = answer(run("sync", "history", "a", "--json"))

    assert [(e["who"], e["what"]) for e in entries] == [
        ("ann (command line)", what) for what in ("apply", "apply", "pause", "disable")
    ]
    assert entries[0]["before"] == {}
    assert entries[0]["after"]["destination"]["type"] == "local"
    assert (entries[1]["before"], entries[1]["after"]) == (
        {"owner": "x@acme.example"},
        {"owner": "y@acme.example"},
    )
    assert (entries[2]["before"], entries[2]["after"]) == (
        {"on": ["events", "people"]},
        {"on": ["events"]},
    )
    assert entries[3]["after"] == {"disabled": True}
    assert entries[3]["at"] == "2026-03-01T12:06:00Z"
    shown = run("sync", "show", "a")
    assert "disabled: no → yes" in shown.stdout
    assert "disabled" in run("sync", "list").stdout


def test_d11_syncs_that_a_file_names_no_more_are_told_since_they_go_on(
    world: World, run: Run
) -> None:
    """Who takes a sync out of the file may mean to stop it; a disabled one is no news."""
    for sync_id in ("gone", "stopped"):
        world.sync(sync_id)
    run("sync", "disable", "stopped")
    file = world.root / "syncs.yaml"
    file.write_text(SYNC.format(version=5, owner="x@acme.example"))
    applied = run("sync", "apply", "syncs.yaml", "--at", "2026-03-01T12:00")
    assert "gone: not in this file, and sent as before" in applied.stderr
    assert "`cio-pipeline sync disable gone`" in applied.stderr
    assert "stopped" not in applied.output


def test_d7_purge_and_recreate_ask_for_a_confirmation(world: World, run: Run) -> None:
    world.sync()
    go_on(world, range(1))
    before = world.names()
    told = run("sync", "recreate", "a")
    assert told.exit_code == 0
    assert f"would remove {before[0]}" in told.stdout
    assert "--yes on the command line" in told.stderr
    assert world.names() == before
    refused = run("sync", "purge", "a", "--yes")
    assert isinstance(refused.exception, InvalidConfig)
    report = answer(run("sync", "recreate", "a", "--yes", "--json"))
    assert sorted(report["objects"]) == sorted([*before, "_cio/1.manifest"])
    assert world.names() == []


def test_d7_coming_from_v1_the_tables_to_empty_are_named(world: World, run: Run) -> None:
    world.sync()
    told = run("sync", "upgrade", "a", "--from-v1")
    assert told.exit_code == 0
    assert "Subjects and Outputs" in told.stderr

"""O1: rows that are sent nevertheless are told where people look, and not in a log alone."""

import json
import sys
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from deltalake import CommitProperties
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.cli.test_held import called, served
from cio_pipeline_tests.defs.running import dagster_on
from cio_pipeline_tests.world import World, during, window

__all__ = ["served"]

TOLD = "subjects: 1 rows changed but their time or number did not grow; they are sent"


AGAIN = "1 rows were put there though their identity was there; one of each is sent"


def put_twice(world: World, table: str, row: dict[str, Any]) -> None:
    """A row that another's writer appends twice in window 3."""
    found = snapshot(table, row).collect()
    at = CommitProperties(custom_metadata={"cio.committed_at": during(3).isoformat()})
    for _ in range(2):
        found.write_delta(
            f"{world.source_uri}/{table}",
            mode="append",
            delta_write_options={"commit_properties": at},
        )


@pytest.mark.parametrize(
    ("table", "row", "fields", "heard"),
    [
        ("events", {"event_id": "e", "processed_at": during(3)}, {}, 1),
        ("people", {"internal_customer_id": "p"}, {}, 1),
        ("calls", {"call_id": "c", "type": "track", "payload": "{}"}, {"feed": "calls"}, 1),
        ("messages", {"message_id": "m", "payload": "{}"}, {"feed": "messages"}, 0),
    ],
)
def test_o1_rows_that_another_wrote_twice_are_told(
    world: World, table: str, row: dict[str, Any], fields: dict[str, Any], heard: int
) -> None:
    """A message may come again: it is put in place of itself."""
    told: list[str] = []
    world.sync("a", **fields)
    world.run(1, table)
    put_twice(world, table, row)
    world.run(3, table, services=replace(world.services, notice=told.append))
    assert told == [f"{table}: {AGAIN}."] * heard
    assert [str(one.last) for one in world.ledger.breaches.all()] == told


def set_back(world: World) -> None:
    """A row whose number stands still goes out in window 2."""
    world.commit("subjects", {"subject_name": "s", "seq_num": 5}, at=during(1))
    world.run(1)
    world.commit("subjects", {"subject_name": "s", "campaign_id": 9, "seq_num": 5}, at=during(2))


def test_export_prints_and_status_counts_them(
    served: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_back(served)
    capsys.readouterr()
    assert called(monkeypatch, "export", "--window", during(2).isoformat()) == 0
    assert TOLD in " ".join(capsys.readouterr().out.split())
    done = CliRunner().invoke(app, ["source", "status", "--json"])
    told = {one["table"]: one["breaches"] for one in json.loads(done.stdout)}
    assert told["people"] == []
    assert told["subjects"][0].startswith("1 rows changed")
    assert sys.argv[1] == "export"


def test_the_check_of_the_window_is_yellow(world: World) -> None:
    world.sync("a")
    set_back(world)
    with dagster_on(world) as dagster:
        found = dagster.run(2, "subjects").get_asset_check_evaluations()
        later = dagster.run(3, "subjects").get_asset_check_evaluations()
    yellow = next(one for one in found if one.asset_key == dg.AssetKey("subjects"))
    assert (yellow.passed, yellow.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert TOLD in str(yellow.description)
    # The other exports are late: nobody ran them.
    assert {one.check_name for one in later if not one.passed} <= {"delayed_syncs"}
    assert world.ledger.breaches.all()[0].last_at == window(2).end


def test_what_an_open_plan_had_is_told_when_it_is_resumed(world: World) -> None:
    world.sync("a")
    set_back(world)
    folder = world.folder("a")
    kept = folder.rename(folder.with_name("kept"))
    folder.write_text("in the way")
    world.run(2, "subjects")
    folder.unlink()
    kept.rename(folder)
    world.ledger.breakers.close(["a"])
    for name in world.services.spool.folders():
        world.services.spool.discard(name)
    with dagster_on(world) as dagster:
        result = dagster.run(3, "subjects")
    (made,) = result.asset_materializations_for_node("subjects")
    assert TOLD in str(made.metadata["source_notices"].value)

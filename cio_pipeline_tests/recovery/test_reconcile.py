"""Closed windows are counted again from the source: what was not sent is named, and sent (O1)."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.defs.upkeep import recount
from cio_pipeline.ledger.schema import files
from cio_pipeline.model.breaches import Breach, BreachKind
from cio_pipeline.model.differences import Difference, by_day
from cio_pipeline.model.errors import VersionGone
from cio_pipeline.model.findings import Finding
from cio_pipeline.monitoring.reconciling import told
from cio_pipeline.pipeline.checking.checks import latest_findings
from cio_pipeline.pipeline.heartbeat import all_claimed
from cio_pipeline.pipeline.lifecycle.disable import disable
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.recovery.came_again import CameAgain, came_again
from cio_pipeline.pipeline.recovery.reconcile import Asked, reconcile, repair
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.calls.steps import call_row, calls_sync
from cio_pipeline_tests.calls.steps import commit as commit_calls
from cio_pipeline_tests.calls.steps import run as run_calls
from cio_pipeline_tests.calls.steps import window as call_window
from cio_pipeline_tests.recovery.test_replay import delivery, event
from cio_pipeline_tests.world import NOON, World, during, window

EXPORTS = ("deliveries", "events")
DAY = NOON.replace(hour=0)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two syncs of other workspaces; some rows are held back."""
    world = World(tmp_path_factory.mktemp("sent") / "world")
    world.sync()
    world.sync("b", 2)
    for number in range(3):
        for workspace in (1, 2):
            rows = [delivery(f"d{n}", number + 1) for n in range(number, number + 3)]
            broken = {**delivery(f"broken{number}", 1), "delivery_type": None}
            its = {"workspace_id": workspace}
            whole = [{**one, **its} for one in (*rows, broken)]
            world.commit("deliveries", *whole, at=during(number))
            world.commit("events", {**event(f"e{number}", number), **its}, at=during(number))
        world.run(number, *EXPORTS)
    return world


@pytest.fixture
def world(sent: World, tmp_path: Path) -> World:
    return sent.copy(tmp_path / "world")


def asked(world: World, services: Services | None = None, **more: Any) -> list[Finding]:
    found = reconcile(services or world.services, day_asked(**more))
    return list(told((one for one, _ in found), dict.fromkeys("ab")))


def day_asked(**more: Any) -> Asked:
    return Asked(DAY, DAY + timedelta(days=1), **more)


def test_o1_a_day_in_which_all_was_sent_has_no_difference(world: World) -> None:
    assert asked(world) == []
    assert asked(world, keys=True) == []


def test_o1_what_no_plan_covers_is_named_and_sent_once(world: World) -> None:
    """As if a position had moved without what lay before it."""
    world.commit("deliveries", delivery("lost", 1), delivery("d0", 9), at=during(3))
    world.now = window(3).end + timedelta(seconds=1)
    cut = decide_cut(world.services, window(3).end)
    pairs = [("a", "deliveries")]
    with all_claimed(world.services, pairs) as held:
        world.ledger.plans.advance(held.lease, pairs, cut, world.now)
    world.commit("deliveries", delivery("d0", 10), at=during(4))
    world.run(4, *EXPORTS)
    (found,) = asked(world)
    assert (found.sync_id, found.export, found.check) == ("a", "deliveries", "reconciliation")
    assert "2 rows changed" in found.says
    assert "0 were sent" in found.says
    assert found.command == "cio-pipeline reconcile a --day 2026-03-01 --repair"

    (done,) = repair(world.services, reconcile(world.services, day_asked()))
    assert (done.outcome.rows, done.outcome.error) == (1, None)
    assert world.read("deliveries").filter(pl.col("delivery_id") == "lost").height == 1
    assert asked(world) == []
    assert repair(world.services, reconcile(world.services, day_asked())) == ()
    assert world.verify().ok


def test_o1_fewer_rows_than_changed_are_named_and_sent_again(world: World) -> None:
    key = "deliveries_v5_2_2.parquet"
    fewer = update(files).where(files.c.key == key).values(rows=1)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    (found,) = asked(world)
    assert (found.sync_id, found.export) == ("b", "deliveries")
    assert "3 rows changed" in found.says
    assert asked(world, sync_ids=["a"]) == []
    differences = reconcile(world.services, day_asked())
    (done,) = repair(world.services, differences)
    assert done.outcome.sync_id == "b"
    assert asked(world) == []
    # Nor does who found the same at the same time send it twice.
    assert repair(world.services, differences) == ()


def test_d7_nothing_is_sent_to_a_sync_that_is_disabled(world: World) -> None:
    fewer = update(files).where(files.c.key == "deliveries_v5_2_2.parquet").values(rows=1)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    differences = reconcile(world.services, day_asked())
    disable(world.services, Order("b", world.now, "ann"))
    before = world.names("b")
    assert asked(world) == []
    assert repair(world.services, differences) == ()
    assert world.names("b") == before


def test_o1_other_keys_in_a_file_are_found_if_asked_for(world: World) -> None:
    path = world.folder() / "events_v5_1_2.parquet"
    pl.read_parquet(path).with_columns(event_id=pl.lit("another")).write_parquet(path)
    assert asked(world) == []
    (found,) = asked(world, keys=True)
    assert "Their keys differ." in found.says
    path.unlink()
    assert asked(world, keys=True) == []


def vacuumed(world: World) -> Services:
    """Whose source has no changes any more."""

    class Vacuumed:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.services.source, name)

        def changes(self, *_: Any) -> Any:
            raise VersionGone("A version is gone.", "Keep it.")

    return world.as_run("run 2", source=Vacuumed())


def test_o1_what_cannot_be_recounted_is_told(world: World) -> None:
    services = vacuumed(world)
    (found,) = asked(world, services, sync_ids=["a"])
    assert (found.sync_id, found.export) == ("a", None)
    assert "2 exports between 2026-03-01" in found.says
    assert "A version is gone." in found.says
    assert repair(services, reconcile(services, day_asked())) == ()


def test_o3_a_source_that_is_away_at_the_recount_is_one_incident(world: World) -> None:
    """However many syncs and exports there are; what differs beside it has its own."""
    fewer = update(files).where(files.c.key == "deliveries_v5_1_2.parquet").values(rows=1)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    asked(world)
    found = asked(world, vacuumed(world))
    assert [(one.sync_id, one.about) for one in found] == [(None, "source")]
    assert "2 exports of 2 syncs between 2026-03-01" in found[0].says
    world.run(3, *EXPORTS)
    told_of = [one for one in latest_findings(world.services) if one.check == "reconciliation"]
    assert sorted((one.sync_id or "", one.about or "") for one in told_of) == [
        ("", "source"),
        ("a", ""),
    ]


def test_o1_calls_are_counted_with_those_held_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    calls_sync(world)
    for number in (0, 1):
        row = call_row("track", {"messageId": f"m{number}", "event": "Seen"})
        wrong = call_row("sing", {"messageId": f"w{number}"})
        commit_calls(world, row, wrong, at=call_window(number).start)
        run_calls(world, number)
    assert asked(world) == []


@pytest.mark.usefixtures("home")
def test_c2_what_comes_again_in_a_later_window_is_told_and_counted_once(world: World) -> None:
    day = DAY, DAY + timedelta(days=1)
    assert came_again(world.services, *day) == []
    world.commit("events", event("e1", 3), event("e3", 3), at=during(3))
    world.run(3, *EXPORTS)
    for _ in range(2):
        assert came_again(world.services, *day) == [Breach("events", BreachKind.CAME_AGAIN, 1)]
    (kept,) = world.ledger.breaches.all()
    assert (kept.rows, kept.windows, kept.last_at) == (1, 1, day[1])
    shown = CliRunner().invoke(app, ["reconcile", "--day", "2026-03-01", "--json"])
    assert shown.exit_code == 0, shown.output
    (told_of,) = json.loads(shown.stdout)
    assert told_of["says"].startswith("events: 1 rows came though an earlier window")
    assert (
        "came though an earlier" in CliRunner().invoke(app, ["source", "status", "--json"]).stdout
    )


def test_c2_of_many_identities_some_stand_for_all_and_what_was_moved_is_not_new() -> None:
    def feed(kind: str, *numbers: int) -> pl.DataFrame:
        return pl.DataFrame(
            {"workspace_id": 1, "event_id": [str(one) for one in numbers], "_change_type": kind},
            schema_overrides={"workspace_id": pl.Int64},
        )

    found = CameAgain(("workspace_id", "event_id"), most=500)
    found.add([feed("insert", *range(n, n + 1000)) for n in range(0, 8000, 1000)])
    found.add([feed("insert", *range(100)), feed("delete", *range(100))])
    assert not found.rows
    found.add([feed("insert", *range(4000, 12000))])
    assert 2800 < found.rows[1] < 5200


@pytest.mark.usefixtures("home")
def test_the_command_names_what_differs_and_repairs_it(world: World) -> None:

    def run(*more: str) -> Any:
        return CliRunner().invoke(app, ["reconcile", "--day", "2026-03-01", *more])

    assert run().exit_code == 0
    key = "events_v5_1_2.parquet"
    fewer = update(files).where(files.c.key == key).values(rows=0)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    found = run("--json")
    assert found.exit_code == 1
    assert [one["export"] for one in json.loads(found.stdout)] == ["events"]
    assert run("a", "--repair").exit_code == 0
    assert run().exit_code == 0
    path = world.folder() / "events_v5_1_3.parquet"
    pl.read_parquet(path).with_columns(event_id=pl.lit("another")).write_parquet(path)
    (other,) = json.loads(run("--keys", "--json").stdout)
    _, *command = other["command"].split()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert not world.ledger.looks.differences()
    wrong = CliRunner().invoke(app, ["reconcile", "--day", "2026-03-01T12:00"])
    assert wrong.exit_code == 1


@pytest.mark.usefixtures("home")
def test_o3_messages_that_differ_are_told_until_somebody_says_that_it_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = world.ledger.recovery.committed(["a"])[0].sealed.plan
    one = Difference("a", "messages", NOON, NOON + timedelta(minutes=15), changed=2, sent=1)
    found = [(one, replace(plan, export="messages"))]
    monkeypatch.setattr("cio_pipeline.cli.reconcile.recount", lambda *_: found)
    done = CliRunner().invoke(app, ["reconcile", "--day", "2026-03-01", "--repair"])
    assert done.exit_code == 1, done.output
    world.ledger.looks.keep_differences((), by_day([one]))
    (finding,) = told([one], {"a": None})
    assert finding.command == "cio-pipeline reconcile a --day 2026-03-01 --accept"
    _, *command = finding.command.split()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert not world.ledger.looks.differences()


def test_the_daily_job_fails_where_something_differs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cio_pipeline.defs.upkeep.now", lambda: DAY + timedelta(hours=28))

    class Opened:
        def services(self, owner: str) -> Services:
            return world.as_run(owner)

    def run() -> None:
        recount(dg.build_op_context(), Opened())

    run()
    fewer = update(files).where(files.c.key == "events_v5_1_2.parquet").values(rows=0)
    world.ledger.database.write(lambda connection: connection.execute(fewer))
    with pytest.raises(dg.Failure, match="reconcile a --day 2026-03-01 --repair"):
        run()

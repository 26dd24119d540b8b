"""Retention: delivered files go after days, or once their reader has acknowledged them."""

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.cli.verify import targets, verify_target
from cio_pipeline.defs.upkeep import LOCATION, RUNS_AT_ONCE, delete_runs
from cio_pipeline.model.errors import InvalidConfig, PermissionMissing
from cio_pipeline.model.manifests import ACKNOWLEDGED
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.checking.checks import findings
from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.heartbeat import claimed
from cio_pipeline.pipeline.lifecycle.disable import disable
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.purge import purge
from cio_pipeline.pipeline.recovery.expire import expire
from cio_pipeline.pipeline.recovery.restore import RESTORE, restore
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.reader.warehouse.database import prepare
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline.verification.report import VerifyReport
from cio_pipeline_tests.messages.sending import commit_messages, objects, row
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window

DAY = timedelta(days=1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return World(tmp_path)


def send(world: World, number: int) -> None:
    world.commit("people", person(f"p{number}"), at=during(number))
    world.run(number, "people")


def acknowledge(world: World, text: str) -> None:
    (world.folder() / ACKNOWLEDGED).write_text(text)


def proof(world: World) -> VerifyReport:
    """What `verify` proves of the sync, as the command does it."""
    (target,) = targets(world.services, ["a"])
    return verify_target(target, deep=True, at=world.now)


def test_d10_files_go_after_days_and_manifests_stay(world: World) -> None:
    world.sync(expire_delivered_after="2d")
    send(world, 0)
    world.now += 2 * DAY
    send(world, 193)
    assert [(one.files, one.error) for one in expire(world.services, dry_run=True)] == [(1, None)]
    assert len(world.names()) == 2
    (done,) = expire(world.services)
    assert (done.files, done.error) == (1, None)
    assert done.bytes > 0
    assert world.names() == ["people_v5_1_2.parquet"]
    assert len(world.manifests()) == 2
    report = proof(world)
    assert (report.ok, report.expired, report.files) == (True, 1, 1)
    # What was let go is no loss, and stays away.
    assert restore(world.services) == ()
    assert [one.files for one in expire(world.services)] == [0]
    send(world, 194)
    assert world.names()[-1] == "people_v5_1_3.parquet"


def test_d10_files_go_once_they_are_acknowledged_after_a_grace(world: World) -> None:
    world.sync(expire_acknowledged_after="1d")
    send(world, 0)
    send(world, 1)
    (done,) = expire(world.services)
    assert (done.files, done.acknowledged) == (0, None)
    acknowledge(world, "1\n")
    assert [one.files for one in expire(world.services)] == [0]
    world.now += DAY
    (done,) = expire(world.services)
    assert (done.files, done.acknowledged, done.error) == (1, 1, None)
    assert world.names() == ["people_v5_1_2.parquet"]
    assert (proof(world).ok, proof(world).expired) == (True, 1)
    assert restore(world.services) == ()
    # What is not acknowledged is a loss.
    (world.folder() / "people_v5_1_2.parquet").unlink()
    assert not proof(world).ok
    assert [one.error for one in restore(world.services)] == [None]


@pytest.mark.parametrize("rule", ["expire_acknowledged_after", "expire_delivered_after"])
def test_d4_d10_a_file_that_was_rewritten_waits_until_that_is_acknowledged_or_old(
    world: World, rule: str
) -> None:
    """Its reader had loaded it, and could load no manifest more: what told of it was gone."""
    fields: dict[str, Any] = {rule: "1d"}
    world.sync(**fields)
    world.commit("people", person("ann"), person("bob"), at=during(0))
    world.run(0, "people")
    world.commit("people", person("ann", 5, 1, deleted=True), at=during(1))
    world.run(1, "people")
    (first, *_) = world.names()
    with closing(duckdb.connect()) as db:
        prepare(db)
        assert load(db, world.folder()).last == 2
        acknowledge(world, "2")
        world.now += DAY - timedelta(hours=1)
        erase(world.services, 1, "ann", "somebody")
        world.now += timedelta(hours=2)
        assert [one.error for one in expire(world.services)] == [None]
        assert first in world.names()
        done = load(db, world.folder())
        assert done.last == 3
        assert done.rewritten
        who = "SELECT DISTINCT internal_customer_id FROM a.people"
        assert db.execute(who).fetchall() == [("bob",)]
    acknowledge(world, "3")
    expire(world.services)
    assert first in world.names()
    assert proof(world).ok
    world.now += DAY
    expire(world.services)
    assert world.names() == []
    assert (proof(world).ok, restore(world.services)) == (True, ())


@pytest.mark.parametrize("text", ["", "seven", "3", "-1", "1 2", "9" * 30])
def test_d10_what_acknowledges_no_manifest_lets_nothing_go(world: World, text: str) -> None:
    world.sync(expire_acknowledged_after="1d", acknowledge_within="1d")
    send(world, 0)
    acknowledge(world, text)
    world.now += 9 * DAY
    (done,) = expire(world.services)
    assert "tells no manifest" in done.told
    assert world.names() == ["people_v5_1_1.parquet"]
    (found,) = backlog(world)
    assert "cannot be told" in found


def backlog(world: World) -> list[str]:
    found = findings(world.services, window(1))
    return [one.says for one in found if one.check == "unacknowledged_backlog"]


def test_o1_a_backlog_that_is_not_acknowledged_is_a_finding(world: World) -> None:
    world.sync(acknowledge_within="2d", owner="data@acme.example")
    send(world, 0)
    send(world, 1)
    assert backlog(world) == []
    world.now += 2 * DAY + timedelta(minutes=1)
    (says,) = backlog(world)
    assert says.startswith("2 manifests after the beginning")
    acknowledge(world, "1")
    (says,) = backlog(world)
    assert says.startswith("1 manifests after manifest 1")
    acknowledge(world, "2")
    assert backlog(world) == []


def test_m4_a_message_that_was_replaced_since_stays(world: World) -> None:
    world.sync(feed="messages", expire_delivered_after="2d")
    commit_messages(world, row("m1"), row("m2", None, 2), at=during(0))
    world.run(0, "messages")
    world.now += 2 * DAY
    commit_messages(world, row("m1", '{"new":1}', 3), at=during(193))
    world.run(193, "messages")
    assert [one.files for one in expire(world.services)] == [1]
    assert [key[-7:] for key in objects(world)] == ["m1.json"]


def test_d8_what_keeps_files_from_being_deleted_is_named(world: World) -> None:
    class Refusing:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def delete(self, key: str) -> None:
            raise PermissionMissing(
                f"Cannot delete '{key}': s3:DeleteObject is missing.", "Add it."
            )

    world.sync(expire_delivered_after="1d")
    world.sync("b", 2, expire_delivered_after="1d")
    world.sync("c", 3)
    send(world, 0)
    (world.folder() / "people_v5_1_1.parquet").write_bytes(b"another")
    world.now += 3 * DAY
    with claimed(world.as_run("another"), [("b", RESTORE)]):
        held, ours = expire(world.services)
    assert (held.sync_id, held.held) == ("b", True)
    assert (ours.files, ours.left) == (0, ("people_v5_1_1.parquet",))
    send(world, 288)
    world.now += 3 * DAY
    opened = world.services.destinations
    refusing = world.as_run("run", destinations=lambda sync: Refusing(opened(sync)))
    told = {one.sync_id: one.told for one in expire(refusing)}
    assert "s3:DeleteObject" in told["a"]
    assert told.keys() == {"a", "b"}


def test_bad_days_are_refused() -> None:
    place = {"type": "local", "path": "b"}
    for wrong in ({"expire_delivered_after": "2"}, {"acknowledge_within": "1d", "manifest": False}):
        with pytest.raises(ValueError, match=r"expire_delivered_after|acknowledge_within"):
            Sync.model_validate({"id": "a", "workspace_id": 1, "destination": place, **wrong})


def test_the_command_deletes_and_tells(world: World) -> None:
    world.sync(expire_delivered_after="1d")
    send(world, 0)
    would = CliRunner().invoke(app, ["expire", "--dry-run"])
    assert would.exit_code == 0, would.output
    assert len(world.names()) == 1
    done = CliRunner().invoke(app, ["expire", "a", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["files"] == 1
    assert world.names() == []
    wrong = CliRunner().invoke(app, ["expire", "nobody"])
    assert wrong.exit_code == 1
    assert not isinstance(wrong.exception, InvalidConfig)


@dg.job
def nothing() -> None: ...


@dg.job
def keeping() -> None:
    delete_runs()


def runs_of(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return [run for run in instance.get_runs() if run.job_name == nothing.name]


def test_old_runs_of_dagster_are_deleted_and_those_under_way_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    monkeypatch.setattr("cio_pipeline.defs.upkeep.RUNS_AT_ONCE", 2)
    assert RUNS_AT_ONCE > 2

    with dg.DagsterInstance.ephemeral() as instance:
        for status in [dg.DagsterRunStatus.SUCCESS] * 3 + [dg.DagsterRunStatus.STARTED]:
            instance.create_run_for_job(nothing, status=status)
        assert keeping.execute_in_process(instance=instance).success
        assert len(runs_of(instance)) == 4
        later = "cio_pipeline.defs.upkeep.now"
        at = instance.get_run_records()[0].create_timestamp + timedelta(days=91)
        monkeypatch.setattr(later, lambda: at)
        assert keeping.execute_in_process(instance=instance).success
        assert [run.status for run in runs_of(instance)] == [dg.DagsterRunStatus.STARTED]


def test_old_runs_of_other_code_locations_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    monkeypatch.setattr("cio_pipeline.defs.upkeep.RUNS_AT_ONCE", 2)
    own, other = "__repository__@cio_pipeline.definitions", "__repository__@marketing"

    with dg.DagsterInstance.ephemeral() as instance:
        for whose in (other, own, None, other, other, own, other, None):
            tags = {LOCATION: whose} if whose else {}
            instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
        at = instance.get_run_records()[0].create_timestamp + timedelta(days=91)
        monkeypatch.setattr("cio_pipeline.defs.upkeep.now", lambda: at)
        assert keeping.execute_in_process(instance=instance, tags={LOCATION: own}).success
        assert [run.tags.get(LOCATION) for run in runs_of(instance)] == [other] * 4


@pytest.mark.parametrize("other", ["died", "running"])
def test_m4_a_message_that_was_put_over_an_old_one_and_waits_for_its_manifest_stays(
    world: World, other: str
) -> None:
    world.sync(feed="messages", expire_delivered_after="2d")
    commit_messages(world, row("m1", '{"n":1}'), at=during(0))
    world.run(0, "messages")
    world.now += 2 * DAY
    commit_messages(world, row("m1", '{"n":2}', 3), at=during(193))
    world.now = max(world.now, window(193).end + timedelta(seconds=1))
    if other == "died":
        run_export(world.services, "messages", window(193), Scope())
        (done,) = expire(world.services)
        assert (done.files, done.error) == (0, None)
    else:
        with claimed(world.as_run("other"), [("a", "messages")]):
            (done,) = expire(world.services)
        assert done.held
    assert len(objects(world)) == 1
    world.run(194, "messages")
    assert [*objects(world).values()] == [b'{"data": {"n":2}}']
    assert world.verify().ok


def test_d7_whoever_begins_where_another_was_purged_is_not_acknowledged(world: World) -> None:
    world.sync(expire_acknowledged_after="1d")
    send(world, 0)
    acknowledge(world, "1")
    disable(world.services, Order("a", world.now, "ann"))
    purge(world.services, Order("a", world.now, "ann", sure=True))
    assert not [path for path in world.folder().rglob("*") if path.is_file()]

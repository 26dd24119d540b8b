"""docs/production.md, followed as processes on a PostgreSQL of its own, each killed under load."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import inspect, text

from cio_pipeline.defs.resources import LANE
from cio_pipeline.model.windows import Window, data_out_window
from cio_pipeline_tests.alerting.servers import Hook, hook
from cio_pipeline_tests.deploy.machine import Machine, configured, make_databases
from cio_pipeline_tests.deploy.test_files import UNITS, block
from cio_pipeline_tests.postgres import PASSWORD, Cluster, running_cluster
from cio_pipeline_tests.waiting import until
from cio_pipeline_tests.workers.silence import silent_for_long
from cio_pipeline_tests.workers.test_celery import (
    STARTED,
    SYNCS,
    deliveries,
    require_once,
    rows,
)
from cio_pipeline_tests.world import QUARTER, World

SLOW_MACHINE = 300.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as found:
        yield found


@pytest.fixture
def alerted() -> Iterator[Hook]:
    with hook() as one:
        yield one


@pytest.fixture
def machine(tmp_path: Path, cluster: Cluster, alerted: Hook) -> Iterator[Machine]:
    """The page's configuration, and 24 syncs that are served up to the last window but one."""
    make_databases(cluster)
    served = data_out_window(datetime.now(UTC) - 2 * QUARTER)
    world = World(tmp_path / "world", cluster.url("cio_ledger"), now=served.start)
    for sync_id, workspace in SYNCS.items():
        place = {"type": "local", "path": str(world.folder(sync_id))}
        world.sync(sync_id, workspace, at=served.start, destination=place)
    world.commit("people", *rows("a"), at=served.start + timedelta(minutes=1))
    world.now = served.end
    world.run_window(served)
    found = configured(tmp_path / "machine", cluster, world, alerted)
    try:
        yield found
    finally:
        for unit in list(found.running):
            found.kill(unit)
        world.ledger.close()


def in_the_middle(found: Machine, instance: dg.DagsterInstance, closed: Window) -> str | None:
    """A run that has delivered something of the window, and has not ended."""
    sent = any(name.endswith("_2.parquet") for one in SYNCS for name in found.world.names(one))
    runs = instance.get_runs(STARTED)
    key = {run.run_id for run in runs if run.tags.get("dagster/partition") == closed.key}
    tick = [run.run_id for run in runs if run.tags.get(LANE) == "tick" and run.run_id in key]
    return tick[0] if sent and tick else None


def settled(world: World, closed: Window) -> bool:
    states = world.ledger.registry.states(["people", "metrics"])
    behind = [one for one in states if one.position is None or one.position.at < closed.end]
    return not behind and not world.ledger.manifests.waiting().unput


def answering(found: Machine) -> bool:
    """Whether web server and metrics answer, as they should."""
    web, metrics = (f"http://127.0.0.1:{found.places[one]}" for one in ("3000", "9464"))
    info = found.get(f"{web}/server_info")
    return bool(info and json.loads(info)) and "cio_ledger_up 1.0" in found.get(
        f"{metrics}/metrics"
    )


@pytest.mark.deep
@pytest.mark.timeout(1200)
def test_o8_each_process_is_killed_under_load_and_nothing_is_lost(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, closed = machine.world, data_out_window(machine.world.now)
    world.commit("people", *rows("b"), at=closed.start + timedelta(minutes=1))
    world.commit("metrics", *deliveries(), at=closed.start + timedelta(minutes=1))
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        for unit in UNITS:
            machine.start(unit)
        until("web server and metrics", SLOW_MACHINE, lambda: answering(machine))
        dead = until(
            "files of a run", SLOW_MACHINE, lambda: in_the_middle(machine, instance, closed)
        )
        for unit in UNITS:
            machine.kill(unit)
        assert not settled(world, closed)
        assert silent_for_long(instance, world.ledger, [dead]) == [dead]
        for unit in UNITS:
            machine.start(unit)
        until("all syncs", SLOW_MACHINE, lambda: settled(world, closed))
        assert until("web server and metrics again", SLOW_MACHINE, lambda: answering(machine))
        until("the daemon's ping", SLOW_MACHINE, lambda: "/ping" in machine.hook.paths)
    require_once(world)
    for unit in UNITS:
        assert PASSWORD not in (machine.root / f"{unit}.log").read_text(errors="replace")
    logged = (machine.root / "code.log").read_text(errors="replace").splitlines()
    assert any(json.loads(one).get("run") for one in logged if one.startswith('{"at"'))


@pytest.mark.deep
def test_o5_a_dump_of_the_ledger_is_restored_and_catches_up(machine: Machine) -> None:
    world = machine.world
    environment = {**machine.environment, "cwd": str(world.root)}
    machine.follow(block("Backup"), **environment)
    closed = data_out_window(world.now)
    world.commit("people", *rows("b"), at=closed.start + timedelta(minutes=1))
    world.commit("metrics", *deliveries(), at=closed.start + timedelta(minutes=1))
    world.now = closed.end
    world.run_window(closed)
    # A later release may have come meanwhile: what it had added would be in its way the next time.
    added = text("CREATE TABLE of_a_later_release (id BIGINT)")
    world.ledger.database.write(lambda connection: connection.execute(added))
    world.ledger.close()
    machine.follow(block("Restore"), **environment)
    there = world.ledger.database.read(lambda connection: inspect(connection).get_table_names())
    assert "of_a_later_release" not in there
    assert {"plans", "differences"} <= set(there)
    assert settled(world, closed), "the buckets' manifests brought it up"
    require_once(world)


def test_the_page_stops_and_starts_all_there_is() -> None:
    for heading in ("Restore", "Upgrade"):
        text = block(heading)
        for unit in UNITS:
            assert f"cio-{unit}" in text

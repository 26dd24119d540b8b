"""docs/production.md, followed as processes on a PostgreSQL of its own, each killed under load."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from cio_pipeline.defs.resources import LANE
from cio_pipeline.model.windows import Window, data_out_window
from cio_pipeline_tests.alerting.servers import Hook, hook
from cio_pipeline_tests.deploy.test_files import ROOT, UNITS, block, command_of
from cio_pipeline_tests.postgres import PASSWORD, USER, Cluster, program, running_cluster
from cio_pipeline_tests.workers.machines import until
from cio_pipeline_tests.workers.test_celery import (
    STARTED,
    SYNCS,
    deliveries,
    let_ten_minutes_pass,
    require_once,
    rows,
)
from cio_pipeline_tests.world import QUARTER, World

SLOW_MACHINE = 300.0

ALERTS = "routes: [{owner: '*', targets: [env:OPS]}]\nping_url: env:PING\n"


@dataclass
class Machine:
    """What the page makes, below `root` in place of `/`; programs are those of this environment."""

    root: Path
    cluster: Cluster
    world: World
    hook: Hook
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    running: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, subprocess.Popen[bytes]]
    )

    def moved(self, text: str) -> str:
        """Commands and files with their places here."""
        for place in ("/var/lib/cio-pipeline", "/etc/cio-pipeline", "/var/backups"):
            text = text.replace(place, f"{self.root}{place}")
        for old, new in self.ports.items():
            text = text.replace(old, str(new))
        return text.replace(" -o cio -g cio", "")

    @property
    def environment(self) -> dict[str, str]:
        """What the file of the page says, and where this PostgreSQL is."""
        path = self.root / "etc/cio-pipeline/environment"
        given = dict(re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
        place = f"{Path(sys.executable).parent}:{program('pg_dump').parent}"
        base = {name: value for name, value in os.environ.items() if not name.startswith("CIO_")}
        return {
            **base,
            "PATH": f"{place}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CIO_FIRST_WINDOW": "2026-01-01",
            **given,
            "CIO_ALERTS": str(self.root / "etc/cio-pipeline/alerts.yaml"),
            "OPS": self.hook.url,
            "PING": f"http://127.0.0.1:{self.hook.port}/ping",
            "CIO_LEDGER": self.world.ledger_url,
            "CIO_SOURCE": f"delta:{self.world.source_uri}",
            "DAGSTER_PG_HOST": "",
            "DAGSTER_PG_USER": USER,
            "DAGSTER_PG_PASSWORD": PASSWORD,
            "PGHOST": str(self.cluster.folder),
        }

    def follow(self, script: str, **environment: str) -> None:
        """Run a block of the page, but for systemd's part."""
        lines = [line for line in self.moved(script).splitlines() if "systemctl" not in line]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=environment.pop("cwd", str(ROOT)),
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, unit: str) -> None:
        """Start a unit's command, as systemd would."""
        name, *arguments = map(self.moved, command_of(unit))
        log = (self.root / f"{unit}.log").open("ab")
        with closing(log):
            self.running[unit] = subprocess.Popen(
                [Path(sys.executable).with_name(name), *arguments],
                cwd=self.root / "var/lib/cio-pipeline",
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, unit: str) -> None:
        """`kill -9`, and what systemd does then: the rest of the unit is gone, too."""
        process = self.running.pop(unit)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def get(self, url: str) -> str:
        """What a service answers; nothing while it does not."""
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own services
                return answer.read().decode()
        except OSError:
            return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in ("cio_dagster", "cio_ledger"):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # pyright: ignore[reportArgumentType, reportCallIssue]
            connection.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]
    served = data_out_window(datetime.now(UTC) - 2 * QUARTER)
    world = World(tmp_path / "world", cluster.url("cio_ledger"), now=served.start)
    for sync_id, workspace in SYNCS.items():
        place = {"type": "local", "path": str(world.folder(sync_id))}
        world.sync(sync_id, workspace, at=served.start, destination=place)
    world.commit("people", *rows("a"), at=served.start + timedelta(minutes=1))
    world.now = served.end
    world.run_window(served)
    ports = {port: free_port() for port in ("3030", "3000", "9464")}
    found = Machine(tmp_path / "machine", cluster, world, alerted, ports)
    for folder in ("etc", "var/lib", "var/backups"):
        (found.root / folder).mkdir(parents=True)
    found.follow(block("Configuration"))
    (found.root / "etc/cio-pipeline/alerts.yaml").write_text(ALERTS)
    workspace = found.root / "etc/cio-pipeline/workspace.yaml"
    workspace.write_text(found.moved(workspace.read_text(encoding="utf-8")))
    environment = found.root / "etc/cio-pipeline/environment"
    environment.write_text(found.moved(environment.read_text(encoding="utf-8")))
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
    return not behind and not world.ledger.manifests.to_put(SYNCS)


def answering(found: Machine) -> bool:
    """Whether web server and metrics answer, as they should."""
    web, metrics = (f"http://127.0.0.1:{found.ports[one]}" for one in ("3000", "9464"))
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
        let_ten_minutes_pass_on(world, instance, dead)
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


def let_ten_minutes_pass_on(world: World, instance: dg.DagsterInstance, dead: str) -> None:
    class Found:
        def __init__(self) -> None:
            self.world = world

    let_ten_minutes_pass(Found(), instance, dead)  # pyright: ignore[reportArgumentType]


@pytest.mark.deep
def test_o5_a_dump_of_the_ledger_is_restored_and_catches_up(machine: Machine) -> None:
    world = machine.world
    syncs = "\n".join(
        f"  - {{id: {one}, workspace_id: {number}, destination: {{type: local, path: "
        f"{world.folder(one)}}}}}"
        for one, number in SYNCS.items()
    )
    (world.root / "syncs.yaml").write_text(f"syncs:\n{syncs}\n")
    environment = {**machine.environment, "cwd": str(world.root)}
    machine.follow(block("Backup"), **environment)
    closed = data_out_window(world.now)
    world.commit("people", *rows("b"), at=closed.start + timedelta(minutes=1))
    world.commit("metrics", *deliveries(), at=closed.start + timedelta(minutes=1))
    world.now = closed.end
    world.run_window(closed)
    world.ledger.close()
    machine.follow(block("Restore"), **environment)
    assert settled(world, closed), "the buckets' manifests brought it up"
    require_once(world)


def test_the_page_stops_and_starts_all_there_is() -> None:
    for heading in ("Restore", "Upgrade"):
        text = block(heading)
        for unit in UNITS:
            assert f"cio-{unit}" in text

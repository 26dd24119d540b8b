"""A machine as docs/production.md makes it, below a folder; its units are processes."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import yaml

from cio_pipeline_tests.alerting.servers import Hook
from cio_pipeline_tests.deploy.test_files import ROOT, block, command_of
from cio_pipeline_tests.ports import free_port
from cio_pipeline_tests.postgres import PASSWORD, USER, Cluster, program
from cio_pipeline_tests.world import World

PORTS = ("3030", "3000", "9464")
FOLDERS = ("/var/lib/cio-pipeline", "/etc/cio-pipeline", "/var/backups", "/usr/local/bin")
"""What the page writes to, which lies below the machine's root here."""

LEFT_OUT = re.compile(r" -o cio -g cio|^as-cio |runuser -u postgres -- ", re.MULTILINE)
"""What the page does as others than root; test_fresh_machine.py does it, too."""

ALERTS = """
routes: [{owner: '*', targets: [env:OPS], severity: warning}]
ping_url: env:PING
"""


@dataclass
class Machine:
    """What the page makes, below `root` in place of `/`; programs are those of this environment."""

    root: Path
    cluster: Cluster
    world: World
    hook: Hook
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """What stands in commands and files of the page, and what in its place here."""
    running: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, subprocess.Popen[bytes]]
    )

    def moved(self, text: str) -> str:
        """Commands and files with their places here."""
        text = LEFT_OUT.sub("", text)
        for place in FOLDERS:
            text = text.replace(place, f"{self.root}{place}")
        for old, new in self.places.items():
            text = text.replace(old, new)
        return text

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
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
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

    def keep_up(self) -> None:
        """What systemd does with a service that ended by itself: it is started again."""
        for unit, process in list(self.running.items()):
            if process.poll() is not None:
                self.start(unit)


def make_databases(cluster: Cluster) -> None:
    """Those of the page, empty."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in ("cio_dagster", "cio_ledger"):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # pyright: ignore[reportArgumentType, reportCallIssue]
            connection.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]


def configured(
    root: Path, cluster: Cluster, world: World, hook: Hook, places: Mapping[str, str] | None = None
) -> Machine:
    """A machine on which the page's configuration is done, on ports of its own."""
    ports = {port: str(free_port()) for port in PORTS}
    file = root / "syncs.yaml"
    found = Machine(
        root, cluster, world, hook, {**ports, " syncs.yaml ": f" {file} ", **(places or {})}
    )
    for folder in ("etc", "var/lib", "var/backups", "usr/local/bin"):
        (found.root / folder).mkdir(parents=True)
    file.write_text(_sync_file(world))
    found.follow(block("Configuration"))
    (found.root / "etc/cio-pipeline/alerts.yaml").write_text(ALERTS)
    for name in ("workspace.yaml", "environment"):
        path = found.root / "etc/cio-pipeline" / name
        path.write_text(found.moved(path.read_text(encoding="utf-8")))
    return found


def _sync_file(world: World) -> str:
    """The syncs that a world has, as their file says it."""
    syncs = [
        one.sync.model_dump(mode="json", include={"id", "workspace_id", "destination"})
        for one in world.ledger.registry.all()
    ]
    return yaml.safe_dump({"syncs": syncs})

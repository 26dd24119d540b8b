"""Machines in one: each has a CIO_HOME of its own, and shares nothing but servers and folders."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import redis

from cio_pipeline_tests.postgres import PASSWORD, USER, Cluster
from cio_pipeline_tests.waiting import PATIENCE, until

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def running_redis() -> Iterator[str]:
    """A server of its own that keeps nothing; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("These tests need Debian's `redis-server`.", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="cio-redis-") as folder:
        socket = Path(folder) / "redis.sock"
        silent = ("--save", "", "--appendonly", "no", "--logfile", f"{folder}/log")
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", socket, "--dir", folder, *silent]
        )
        try:
            until("Redis", PATIENCE, socket.exists)
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
            yield f"redis+socket://{socket}"
        finally:
            server.terminate()
            server.wait(20)


def production_file(ticks: int) -> str:
    """deploy/dagster.yaml as the docs tell to change it for Celery and so many shards."""
    text = (REPOSITORY / "deploy/dagster.yaml").read_text(encoding="utf-8")
    text = text.replace("value: tick\n      limit: 1", f"value: tick\n      limit: {ticks}")
    block = re.search(
        r"^# run_launcher:\n#   module: dagster_celery(?:.*\n#  .*)+", text, re.MULTILINE
    )
    assert block is not None
    return text.replace(block[0], re.sub(r"^# ", "", block[0], flags=re.MULTILINE))


@dataclass
class Machines:
    """Programs that are started by name in `folder`; state and logs of each lie in `root/NAME`."""

    root: Path
    cluster: Cluster
    shared: Mapping[str, str]
    ticks: int
    folder: Path = REPOSITORY
    running: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, subprocess.Popen[bytes]]
    )

    def environment(self, name: str) -> dict[str, str]:
        """Of one machine; its home is made."""
        home = self.root / name
        (home / "dagster").mkdir(parents=True, exist_ok=True)
        (home / "dagster/dagster.yaml").write_text(production_file(self.ticks), encoding="utf-8")
        return {
            **os.environ,
            **self.shared,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "CIO_HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "DAGSTER_PG_HOST": "",
            "DAGSTER_PG_USER": USER,
            "DAGSTER_PG_PASSWORD": PASSWORD,
            "DAGSTER_PG_DB": "postgres",
            "PGHOST": str(self.cluster.folder),
        }

    def start(self, name: str, program: str, *arguments: str | Path) -> None:
        """Start a program in a process group of its own."""
        environment = self.environment(name)
        with (self.root / name / "log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [Path(sys.executable).with_name(program), *arguments],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_worker(self, name: str) -> None:
        """A Celery worker for one run at a time."""
        file = REPOSITORY / "deploy/celery.yaml"
        worker = ("worker", "start", "-A", "dagster_celery.app", "-n", name, "-y", file)
        self.start(name, "dagster-celery", *worker, "--", "--concurrency=1")

    def start_daemon(self) -> None:
        self.start("daemon", "dagster-daemon", "run", "-w", REPOSITORY / "workspace.yaml")

    def kill(self, name: str) -> None:
        """What a power failure does: all of its processes are gone at once."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def stop_all(self) -> None:
        for name in list(self.running):
            process = self.running[name]
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill(name)
                continue
            del self.running[name]
            # What it started may outlive it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def worker_of(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> str | None:
        """The machine that a run was started on; None before it was."""
        for record in instance.all_logs(run.run_id):
            found = re.search(r"Started process for run \(pid: (\d+)\)", record.message)
            if found:
                return self._machine(int(found[1]))
        return None

    def _machine(self, pid: int) -> str | None:
        try:
            group = os.getpgid(pid)
        except ProcessLookupError:
            return None
        return next((name for name, one in self.running.items() if one.pid == group), None)

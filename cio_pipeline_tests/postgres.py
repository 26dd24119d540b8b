"""A private PostgreSQL cluster in a temporary folder, for tests that need a real one.

PostgreSQL refuses to run as root, so root runs it as the system user `postgres`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cio_pipeline_tests.cores import all_cores
from cio_pipeline_tests.ports import free_port
from cio_pipeline_tests.waiting import PATIENCE, until

PASSWORD = "s3cret-pg"  # noqa: S105 - of a cluster that lives as long as the tests
USER = "cio"


@dataclass(frozen=True)
class Cluster:
    """A running server that listens on a socket in `folder`; on TCP only if it was told to."""

    folder: Path
    port: int = 5432
    options: str = ""
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def url(self, database: str, password: str = PASSWORD) -> str:
        """A SQLAlchemy or libpq URL of one database."""
        place = f"host={self.folder}&port={self.port}"
        return f"postgresql://{USER}:{password}@/{database}?{place}"

    def over_tcp(self, database: str, host: str = "localhost") -> str:
        """The same over the network, without options."""
        return f"postgresql://{USER}:{PASSWORD}@{host}:{self.port}/{database}"

    def kill(self) -> None:
        """`kill -9` of the server and of all that it started."""
        pid = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        until("its end", PATIENCE, lambda: not any(map(_is_there, (pid, *map(int, children)))))

    def stop(self) -> None:
        """End it in order."""
        _run(system_user(), "pg_ctl", "-D", self.folder / "data", "-m", "fast", "-w", "stop")

    def start_again(self) -> None:
        """Start a server that was killed or stopped."""
        start(self.folder, self.options)

    def new_schema(self) -> str:
        """The URL of a fresh, empty schema: a database of its own would cost 7 MB of disk."""
        name = f"test_{next(self.names)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return f"{self.url('postgres')}&options=-csearch_path%3D{name}"


def _is_there(pid: int) -> bool:
    """Whether a process still runs: one that waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(folder: Path, options: str) -> None:
    """Start the server of a cluster that is made."""
    log, data = folder / "log", folder / "data"
    with all_cores():
        _run(system_user(), "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")


@contextmanager
def running_cluster(
    *, copied_from: Cluster | None = None, certificate: tuple[Path, Path] | None = None
) -> Iterator[Cluster]:
    """Make a cluster, or a hot standby of another one, start it, and remove it at the end.

    With a `certificate` (it and its key) it listens on TCP, too, and speaks TLS there.
    """
    folder = Path(tempfile.mkdtemp(prefix="cio-pg-"))
    account = system_user()
    if account:
        shutil.chown(folder, account, account)
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    try:
        if copied_from is not None:
            of = ("-d", copied_from.url("postgres"), "-D", data)
            _run(account, "pg_basebackup", *of, "-R", "-c", "fast", "--no-sync")
        else:
            _run(
                account,
                "initdb",
                *("-D", data, "-U", USER, "--pwfile", secret, "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C", "--no-sync"),
            )
        port = free_port() if certificate else 5432
        options = f"-c unix_socket_directories={folder} -c port={port} -c fsync=off"
        options += " -c max_prepared_transactions=20"
        options += _spoken_tls(data, certificate, account) if certificate else ON_SOCKET_ONLY
        start(folder, options)
        try:
            yield Cluster(folder, port, options)
        finally:
            _run(account, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """One cluster for the whole session."""
    with running_cluster() as cluster:
        yield cluster


ON_SOCKET_ONLY = " -c listen_addresses="


def _spoken_tls(data: Path, certificate: tuple[Path, Path], account: str | None) -> str:
    names = ("server.crt", "server.key")
    for file, name in zip(certificate, names, strict=True):
        shutil.copy(file, data / name)
        (data / name).chmod(0o600)
        if account:
            shutil.chown(data / name, account, account)
    return " -c ssl=on -c listen_addresses=localhost"


def system_user() -> str | None:
    """Whom servers run as that refuse to be root's; None if this is not root."""
    return "postgres" if os.geteuid() == 0 else None


def _run(account: str | None, name: str, *arguments: str | Path) -> None:
    done = subprocess.run(
        [program(name), *arguments],
        user=account,
        group=account,
        extra_groups=[] if account else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if name != "pg_ctl" else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        output = (done.stdout or b"").decode(errors="replace")
        pytest.fail(f"{name} failed with {done.returncode}: {output}", pytrace=False)


def bin_folder() -> Path | None:
    """Where the server's programs are, if there are any; Debian keeps them out of PATH."""
    return next((folder for folder in _places() if (folder / "initdb").exists()), None)


def program(name: str) -> Path:
    """One of the server's programs."""
    folder = bin_folder()
    if folder is not None:
        return folder / name
    pytest.fail(
        "These tests need PostgreSQL's server programs (initdb, pg_ctl): "
        "install Debian's `postgresql`.",
        pytrace=False,
    )


def _places() -> Iterator[Path]:
    config = shutil.which("pg_config")
    if config:
        found = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(found.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)

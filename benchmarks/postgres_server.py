"""A PostgreSQL server of a benchmark's own: what it costs, and tables in it."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.product import NOON
from benchmarks.rows import PEOPLE, metrics, numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.postgres import Cluster, running_cluster
from cio_pipeline_tests.sources.postgres.databases import Made, new_database
from cio_pipeline_tests.workers.machines import until

_AT_ONCE = 200_000


@dataclass(frozen=True)
class Server:
    """A running server."""

    cluster: Cluster

    def cpu(self) -> float:
        """CPU seconds of all its processes until now, also of those that have ended.

        Waits for those that answered somebody who has gone: they count once they have ended.
        """
        postmaster = (self.cluster.folder / "data" / "postmaster.pid").read_text().split()[0]
        until("backends", 60, lambda: not any(map(_answers, _children(postmaster))))
        ticks = _ticks(Path("/proc") / postmaster, 11, 15)
        ticks += sum(_ticks(child, 11, 13) for child in _children(postmaster))
        return ticks / os.sysconf("SC_CLK_TCK")

    def with_metrics(self, count: int, workspaces: int) -> Made:
        """A database whose metrics hold history from before anything was installed."""
        made = Made(new_database(self.cluster), SOURCE_TABLES)
        made.create()
        long_ago = NOON - timedelta(days=3)
        people = rows(SOURCE_TABLES["people"], numbered(workspaces, 0, PEOPLE), long_ago)
        made.put(SOURCE_TABLES["people"], people)
        add_metrics(made, workspaces, 0, count)
        made.install()
        made.do("VACUUM ANALYZE metrics", "VACUUM ANALYZE people", "CHECKPOINT")
        return made


@contextmanager
def running_server() -> Generator[Server]:
    """A server that nothing but what is measured keeps busy."""
    with running_cluster() as cluster:
        Made(cluster.url("postgres"), {}).do(
            "ALTER SYSTEM SET autovacuum = off",
            "ALTER SYSTEM SET max_wal_size = '8GB'",
            "SELECT pg_reload_conf()",
        )
        yield Server(cluster)


def add_metrics(made: Made, workspaces: int, first: int, count: int) -> None:
    """Insert metrics `first` to `first + count`, in transactions of some."""
    with made.connect() as connection:
        for start in range(first, first + count, _AT_ONCE):
            some = min(_AT_ONCE, first + count - start)
            frame = metrics(workspaces, start, some, NOON)
            names = ", ".join(frame.columns)
            into = f"COPY metrics ({names}) FROM STDIN (FORMAT csv)"
            with connection.cursor().copy(into.encode()) as copy:
                copy.write(frame.write_csv(include_header=False))


def _children(postmaster: str) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        if _fields(process)[1:2] == [postmaster]:
            yield process


def _answers(process: Path) -> bool:
    try:
        return b"[local]" in (process / "cmdline").read_bytes()
    except OSError:
        return False


def _ticks(process: Path, start: int, stop: int) -> int:
    return sum(map(int, _fields(process)[start:stop]))


def _fields(process: Path) -> list[str]:
    """What the kernel tells of a process, from its state on; nothing if it has ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

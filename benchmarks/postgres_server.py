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
from cio_pipeline_tests.postgres import Cluster, running_cluster, start
from cio_pipeline_tests.sources.postgres.databases import Made, new_database
from cio_pipeline_tests.workers.machines import until

_AT_ONCE = 200_000
_MADE_HERE = 500_000
"""Rows that are made one by one; large tables are these, again and again under other names."""


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

    def start_again(self, *, durable: bool) -> None:
        """With commits that wait for the disk, or as it was: what it was started with counts."""
        how = self.cluster.options
        self.cluster.stop()
        start(self.cluster.folder, how.replace("fsync=off", "fsync=on") if durable else how)

    def with_metrics(self, count: int, workspaces: int) -> Made:
        """A database whose metrics hold history from before anything was installed."""
        made = Made(new_database(self.cluster), SOURCE_TABLES)
        made.create()
        long_ago = NOON - timedelta(days=3)
        people = rows(SOURCE_TABLES["people"], numbered(workspaces, 0, PEOPLE), long_ago)
        made.put(SOURCE_TABLES["people"], people)
        some = min(count, _MADE_HERE)
        add_metrics(made, workspaces, 0, some)
        _repeat_metrics(made, some, count // some)
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


def _repeat_metrics(made: Made, count: int, times: int) -> None:
    """So often in all; the server copies them, and makes the index of their identity once."""
    others = {"event_id": "event_id || '-' || g", "seq_num": f"seq_num + g * {count}"}
    names = [column.name for column in SOURCE_TABLES["metrics"].columns]
    values = ", ".join(others.get(name, name) for name in names)
    (key,) = made.ask(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'metrics'::regclass"
    )
    made.do(
        f"ALTER TABLE metrics DROP CONSTRAINT {key[0]}",
        "CREATE TABLE made AS SELECT * FROM metrics",
        *(
            f"INSERT INTO metrics ({', '.join(names)}) SELECT {values} "  # noqa: S608 - our own
            f"FROM made, (VALUES ({g})) AS again (g)"
            for g in range(1, times)
        ),
        "DROP TABLE made",
        f"SET maintenance_work_mem = '512MB'; ALTER TABLE metrics ADD {key[1]}",
    )


def _children(postmaster: str) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        if _fields(process)[1:2] == [postmaster]:
            yield process


def _answers(process: Path) -> bool:
    """Whether it serves somebody, or has ended and is not yet counted by its parent."""
    try:
        return _fields(process)[:1] == ["Z"] or b"[local]" in (process / "cmdline").read_bytes()
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

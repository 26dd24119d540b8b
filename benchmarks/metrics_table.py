"""Large tables of metrics, kept below the data folder from one run to the next."""

import shutil
from datetime import timedelta
from pathlib import Path

from benchmarks.measure import in_child
from benchmarks.product import BEFORE, NEXT, NOON, empty_source, fill
from benchmarks.rows import PEOPLE, metrics, numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES

WORKSPACES = 1000
CHANGES = 100_000
"""Rows that are committed in the measured window, whatever the size of the history."""

_COMMIT = 1_000_000


def metrics_table(data: Path, count: int, scale: float) -> Path:
    """A source whose metrics hold `count` rows before the measured window; made if missing."""
    made = data / f"metrics-{count}-{workspaces(scale)}"
    if not made.exists():
        unfinished = made.with_name(f"{made.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        in_child("metrics_table:make", folder=str(unfinished), count=count, scale=scale)
        unfinished.rename(made)
    return made


def make(folder: str, count: int, scale: float) -> None:
    """Write the tables: people, of whom some are gone, and metrics in commits of a million rows."""
    source, served = Path(folder), workspaces(scale)
    empty_source(source)
    people = SOURCE_TABLES["people"]
    long_ago = NOON - timedelta(days=3)
    fill(source, people, rows(people, numbered(served, 0, PEOPLE), long_ago), BEFORE)
    table = SOURCE_TABLES["metrics"]
    for first in range(0, count, _COMMIT):
        some = min(_COMMIT, count - first)
        fill(source, table, metrics(served, first, some, long_ago), BEFORE)
    fill(source, table, metrics(served, count, changes(scale), NEXT.start), NEXT)


def changes(scale: float) -> int:
    """Rows in the measured window at a scale."""
    return int(CHANGES * scale)


def workspaces(scale: float) -> int:
    """Workspaces at a scale: each has as many rows at any scale."""
    return max(10, int(WORKSPACES * scale))

"""Worlds of any size, and what a run of theirs asks of the ledger and the source."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from benchmarks.opened import Opened
from benchmarks.rows import numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.crashes import Fuse, watched
from cio_pipeline_tests.world import NOON, World, during

_LIST = re.compile(r"\(\(?\?[?(), ]*\)")

LONG_AGO = NOON - timedelta(days=3)


def small_world(root: Path, syncs: int, table: str, history: int = 5, *exports: str) -> World:
    """A world of syncs and one filled table, whose exports (or some) went out in window 0."""
    world = World(root)
    for number in range(1, syncs + 1):
        world.sync(f"s{number:03d}", number)
    fill(world, table, syncs, range(history), window=0)
    world.run(0, *exports)
    return world


def fill(world: World, table: str, workspaces: int, numbers: range, *, window: int) -> None:
    """Commit the rows with some numbers in each workspace, those that are there anew."""
    declared = SOURCE_TABLES[table]
    made = rows(
        declared, numbered(workspaces, numbers.start, len(numbers)), LONG_AGO, revision=window
    )
    commit_rows(world.source_uri, declared, made, during(window))


@dataclass
class Asked:
    """Statements sent to the ledger, their lists cut short, and effects (`source.changes`)."""

    statements: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)

    @property
    def reads(self) -> list[str]:
        """What was read of the source's tables."""
        return [name for name in self.effects if name in {"source.changes", "source.snapshot"}]


@contextmanager
def asked(world: World) -> Generator[tuple[Asked, Any]]:
    """What the block asks for if it runs with the services that are given."""
    found = Asked()
    fuse = Fuse()
    engine = world.ledger.database.engine

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.statements.append(_LIST.sub("(?)", statement))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found, watched(world.services, fuse, "run 1")
    finally:
        event.remove(engine, "before_cursor_execute", note)
        found.effects += fuse.names


def data_files(opened: Opened) -> list[Path]:
    """The data files among those opened, each as often as it was; the log's are left out."""
    return [path for path in opened.files.elements() if "_delta_log" not in path.parts]

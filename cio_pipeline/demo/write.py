"""Writing the demo source: the history in a few large commits, then one commit after another."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
from deltalake import CommitProperties, write_deltalake

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.script import Scene, cast_rows
from cio_pipeline.demo.simulate import Frames, changed_rows, history_rows, pieces
from cio_pipeline.demo.state import DemoState, first_state, folder_of, read_state, store_state
from cio_pipeline.demo.world import DemoSize, Span, World, workspaces_of, world_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.services import Progress
from cio_pipeline.sources.delta_log import COMMITTED_AT_KEY
from cio_pipeline.sources.delta_table import DeltaTables
from cio_pipeline.sources.tables import commit_rows, create_tables

_ROWS_PER_COMMIT = 1_000_000
"""Of all tables together; bounds memory."""


def write_history(
    uri: str, size: DemoSize, seed: int, until: datetime, progress: Progress
) -> DemoState:
    """Create the source tables and fill them with what happened before `until`.

    Every commit has the time `until`. Raises InvalidConfig if the folder is in use.
    """
    if until.tzinfo is None:
        raise InvalidConfig("The end of the demo's history needs an offset.", "Append a Z for UTC.")
    world = world_of(size, seed, until.astimezone(UTC))
    state = first_state(world)
    folder = folder_of(uri)
    if folder.is_dir() and any(folder.iterdir()):
        raise InvalidConfig("The folder of the demo source is not empty.", "Choose another one.")
    create_tables(uri, SOURCE_TABLES.values())
    store_state(uri, replace(state, writing=True))
    for frames in history(world, state.scene, progress):
        _append(uri, frames, state.until)
    store_state(uri, state)
    return state


def history(world: World, scene: Scene, progress: Progress) -> Iterator[Frames]:
    """The history in parts of bounded size; every identity occurs in one part only."""
    parts = pieces(world)
    waiting: list[Frames] = []
    for done, piece in enumerate(parts, 1):
        waiting.append(history_rows(piece))
        if piece.first:
            waiting.append(cast_rows(piece.workspace, scene))
        progress("Simulating the history", done, len(parts))
        if _height(waiting) >= _ROWS_PER_COMMIT:
            yield _together(waiting)
            waiting = []
    yield _together(waiting)


def write_commit(uri: str, state: DemoState, at: datetime, progress: Progress) -> DemoState:
    """Commit what happened from the last commit to `at`, one commit a table, with time `at`.

    Raises InvalidConfig if `at` is not later than the last commit, or `state` is not the stored
    one; SourceError if an earlier commit was interrupted.
    """
    if read_state(uri) != state:
        raise InvalidConfig("The demo source has moved on.", "Read its state again.")
    later = state.after(at)
    frames = changes(later.world, later.span, later.scene)
    store_state(uri, replace(state, writing=True))
    for done, (name, rows) in enumerate(frames.items(), 1):
        commit_rows(uri, SOURCE_TABLES[name], rows, later.until)
        progress("Committing to the source", done, len(frames))
    store_state(uri, later)
    return later


def changes(world: World, span: Span, scene: Scene) -> Frames:
    """All rows that changed in a span after the history."""
    every: list[Frames] = []
    for workspace in workspaces_of(world):
        every += [changed_rows(workspace, span), cast_rows(workspace, scene)]
    return _together(every)


def _append(uri: str, frames: Frames, at: datetime) -> None:
    """Append without looking for rows to replace: the history brings every identity once.

    A merge reads all that was written before, so the cost of many of them would be quadratic.
    """
    folder = DeltaTables(uri, {})
    properties = CommitProperties(custom_metadata={COMMITTED_AT_KEY: at.isoformat()})
    for name, rows in frames.items():
        write_deltalake(folder.location(name), rows, mode="append", commit_properties=properties)


def _height(frames: Iterable[Frames]) -> int:
    return sum(rows.height for part in frames for rows in part.values())


def _together(frames: Iterable[Frames]) -> Mapping[str, pl.DataFrame]:
    """The parts joined per table, in the tables' order; tables without rows are left out."""
    found: dict[str, list[pl.DataFrame]] = {name: [] for name in SOURCE_TABLES}
    for part in frames:
        for name, rows in part.items():
            found[name] += [rows] if rows.height else []
    return {name: pl.concat(rows) for name, rows in found.items() if rows}

"""The cast: scripted rows, so that every table changes in every commit, in a known way.

Commit n brings a person, an object and an object type; commit n + 1 changes them, commit n + 2
deletes them (every second person is suppressed instead). Somebody else is added and deleted
within one commit. Campaign 1, its actions and newsletter 1 are edited once a commit. Number 0
belongs to the history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.actor import Actor
from cio_pipeline.demo.script import ACTS, edits
from cio_pipeline.demo.world import Span, Workspace, finished

Row: TypeAlias = Mapping[str, object]

STAGE = 2
"""How many workspaces have a cast: the first ones."""


@dataclass(frozen=True)
class Scene:
    """A commit's number and the spans of it and of the two before, the newest last."""

    number: int
    spans: tuple[Span, ...]


def cast_rows(workspace: Workspace, scene: Scene) -> dict[str, pl.DataFrame]:
    """The scripted rows of a commit by table; none beyond the first workspaces."""
    if workspace.number > STAGE:
        return {}
    rows: dict[str, list[Row]] = {}
    for age in range(min(len(scene.spans), scene.number + 1)):
        number = scene.number - age
        actor = Actor(workspace, number, tuple(scene.spans[-1 - age :]))
        for table, added in ACTS[age](actor).items():
            rows.setdefault(table, []).extend(added)
    if scene.number > 0:
        for table, added in edits(workspace, scene.number, scene.spans[-1]).items():
            rows.setdefault(table, []).extend(added)
    return {table: _frame(table, found, workspace.number) for table, found in rows.items()}


def _frame(table: str, rows: Sequence[Row], workspace: int) -> pl.DataFrame:
    dtypes = source_schema(SOURCE_TABLES[table])
    schema = {
        name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype
        for name, dtype in dtypes.items()
        if name != "workspace_id"
    }
    complete = [{name: row.get(name) for name in schema} for row in rows]
    return finished(pl.DataFrame(complete, schema=schema), table, workspace)

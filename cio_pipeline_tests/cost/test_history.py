"""A changeset costs what changed, whatever the size of the history."""

from pathlib import Path

import pytest

from benchmarks.opened import Opened, opened_below
from cio_pipeline.contracts.declare import TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.cost.counting import data_files, fill, small_world

WORKSPACES = 3
CHANGED = 10
SMALL, LARGE = 10, 20_010
"""So that none of the people who are changed was gone before: their change would not be sent."""


def changeset(root: Path, table: str, history: int) -> Opened:
    """What is opened for a few rows in each workspace, half of them changed where rows change."""
    world = small_world(root, WORKSPACES, table, history, table)
    appends = SOURCE_TABLES[table].kind is TableKind.APPEND_ONLY
    first = history if appends else history - CHANGED // 2
    fill(world, table, WORKSPACES, range(first, first + CHANGED), window=1)
    with opened_below(Path(world.source_uri)) as opened:
        outcomes = world.run(1, table)
    assert {outcome.rows for outcome in outcomes} == {CHANGED}
    return opened


@pytest.mark.parametrize("table", ["people", "deliveries", "metrics", "campaigns"])
def test_files_and_bytes_read_do_not_depend_on_the_history(tmp_path: Path, table: str):
    small, large = (changeset(tmp_path / str(rows), table, rows) for rows in (SMALL, LARGE))

    assert data_files(small)
    assert len(data_files(small)) == len(data_files(large))
    assert all(path.stat().st_size < LARGE for path in data_files(large)), "none is the history's"
    read = [sum(path.stat().st_size for path in data_files(one)) for one in (small, large)]
    assert read[1] < 1.1 * read[0], "longer ids are all that may differ"

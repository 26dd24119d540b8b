"""D6, O8: a server that ends all sessions while it is read: nothing is lost or doubled."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import SourceUnavailable
from cio_pipeline.model.plans import Mode
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.sources.postgres.connect import Rows
from cio_pipeline_tests.pipeline.sliced import digests, in_slices, state
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import Made, made
from cio_pipeline_tests.world import World, during

KILL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
ROWS = 12
NUMBER = {Mode.INITIAL: 0, Mode.CHANGES: 1}
"""Of the window that is run."""

READ = Rows.of


@dataclass
class Ended:
    """Rows whose server ends all sessions after the first batch of stream number `at`."""

    base: Made
    at: int
    streams: int = 0

    def of(self, rows: Rows, statement: str) -> Generator[Any]:
        self.streams += 1
        ends = self.streams == self.at
        for batch in READ(rows, statement):
            yield batch
            if ends:
                self.base.ask(KILL)
                ends = False


def prepared(root: Path, cluster: Cluster, mode: Mode) -> World:
    """Twelve wide metrics that wait to be sent, as history or as changes."""
    base = made(cluster, *SOURCE_TABLES.values(), row_a_block=True)
    world = World(root, database=base)
    world.sync()
    if mode is Mode.CHANGES:
        world.run(0, "metrics")
    # Wider than what is on its way between two processes.
    more = [{"event_id": f"m{number}", "reason": "x" * 900_000} for number in range(ROWS)]
    world.commit("metrics", *more, at=during(NUMBER[mode]))
    return world


def run(world: World, mode: Mode) -> str | None:
    """Run the window in slices of four rows; the kind of the error, if one was told."""
    try:
        outcomes = world.run(NUMBER[mode], "metrics", services=in_slices(world, 4))
    except SourceUnavailable as error:  # while it was planned
        return type(error).__name__
    return next((one.error.kind for one in outcomes if one.error), None)


@pytest.mark.slow
@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.deep), 9])
@pytest.mark.parametrize("mode", NUMBER)
def test_d6_sessions_that_end_in_the_middle_lose_and_double_nothing(
    tmp_path: Path,
    postgres_cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    step: int,
) -> None:
    """The run goes on, or the next one at the slice that was read."""
    first = prepared(tmp_path / "prepared", postgres_cluster, mode)
    base = first.database
    assert base is not None
    whole = first.copy(tmp_path / "whole")
    ended = Ended(base, 0)
    monkeypatch.setattr(Rows, "of", lambda rows, asked: ended.of(rows, asked))  # noqa: PLW0108 - it changes
    assert run(whole, mode) is None
    expected, streams = digests(whole, "a"), ended.streams
    assert len(expected) == 3
    errors: set[str] = set()
    for at in range(1, streams + 1, step):
        ended = Ended(base, at)
        world = first.copy(tmp_path / str(at))
        if told := run(world, mode):
            errors.add(told)
            plan = state(world).open_plan
            done = plan.slice if plan else 0
            world.now += TTL + timedelta(seconds=1)
            ended = Ended(base, 0)
            assert run(world, mode) is None
            assert not done or ended.streams < streams
        assert digests(world, "a") == expected
        assert world.read("metrics")["event_id"].n_unique() == world.read("metrics").height == ROWS
        assert world.verify().ok
        world.ledger.close()
    assert errors == {"SourceUnavailable"}
    base.source.server.close()

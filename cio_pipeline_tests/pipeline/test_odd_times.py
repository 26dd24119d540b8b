"""D23, D26: times that no reader can hold, from the source table to quarantine and back."""

from datetime import datetime
from typing import Any

import pytest
from deltalake import CommitProperties, write_deltalake

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.changesets.test_any_value import ODD_TIMES, frame, micros
from cio_pipeline_tests.world import NOON, World, during


def commit(world: World, table: str, *rows: dict[str, Any], at: datetime) -> None:
    """Append rows whose times are microseconds, as another writer may."""
    declared = SOURCE_TABLES[table]
    names = list(source_schema(declared))
    committed = CommitProperties(custom_metadata={"cio.committed_at": at.isoformat()})
    given = frame(declared, [{"workspace_id": 1, **row} for row in rows]).select(names).collect()
    write_deltalake(
        f"{world.source_uri}/{table}", given, mode="append", commit_properties=committed
    )


@pytest.mark.parametrize("number", [0, 1], ids=["in the first files", "as changes"])
def test_d23_a_broken_row_with_an_odd_time_stops_nothing(world: World, number: int) -> None:
    world.sync()
    world.sync("b", 2)
    if number:
        world.run(0, "campaigns")
    good = {"campaign_id": 1, "version": 1, "updated_at": micros(NOON)}
    odd = [{**good, "name": None, "updated_at": at} for at in ODD_TIMES]
    commit(world, "campaigns", good, *odd, {**good, "workspace_id": 2}, at=during(number))

    mine, theirs = world.run(number, "campaigns")

    assert (mine.error, mine.rows, mine.quarantined) == (None, 1, len(ODD_TIMES))
    assert (theirs.error, theirs.rows, theirs.quarantined) == (None, 1, 0)
    named = {entry.identity for entry in world.ledger.quarantine.entries()}
    assert named == {f'["1","1","{at}"]' for at in ODD_TIMES}
    (retried,) = retry_quarantine(world.services, ["a"])
    assert (retried.error, retried.rows, retried.quarantined) == (None, 0, len(ODD_TIMES))
    assert world.verify().ok


def test_d23_a_call_received_at_an_odd_time_stops_nothing(world: World) -> None:
    steps.calls_sync(world)
    times = (micros(NOON), *ODD_TIMES)
    rows = [
        {"call_id": str(n), "type": "track", "received_at": at, "payload": "{}"}
        for n, at in enumerate(times)
    ]
    commit(world, "calls", *rows, at=NOON)

    (outcome,) = steps.run(world, 0)

    assert (outcome.error, outcome.rows, outcome.quarantined) == (None, 1, len(ODD_TIMES))
    assert world.verify().ok

"""D6: what another release sealed and this one encodes otherwise is sealed anew if none was put."""

from typing import Any

import polars as pl
import pytest
from sqlalchemy import insert, select, update

from cio_pipeline.ledger.schema import files, plans, sequences
from cio_pipeline.model.errors import Unreachable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.plans import PRODUCER
from cio_pipeline.pipeline.planning import plan_export
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.pipeline.failing import Broken
from cio_pipeline_tests.pipeline.feeds import commit, run
from cio_pipeline_tests.pipeline.sliced import fill, in_slices, parts, state, stop_after
from cio_pipeline_tests.recovery.loss import DieAfter
from cio_pipeline_tests.regressions.test_review import Other, event
from cio_pipeline_tests.world import World, during

OTHER = "cio-pipeline 0.0.9"
FIELDS: dict[Feed, dict[str, Any]] = {
    Feed.DATA_OUT: {},
    Feed.CALLS: {"feed": "calls", "integration_id": 1, "action_id": 2},
    Feed.MESSAGES: {"feed": "messages"},
}


def as_sealed_by_another(world: World, *, more: bool = False) -> None:
    """As if another release had sealed what is sealed: other bytes, and `more` files."""
    with world.ledger.database.engine.begin() as connection:
        not_committed = files.c.manifest_ordinal.is_(None)
        connection.execute(update(files).where(not_committed).values(sha256="0" * 64))
        connection.execute(update(plans).where(plans.c.state == "sealed").values(producer=OTHER))
        if more:
            (row,) = connection.execute(select(files).where(not_committed)).mappings()
            number = row["sequence"] + 1
            connection.execute(
                insert(files).values(
                    {**row, "number": row["number"] + 1, "key": "another", "sequence": number}
                )
            )
            connection.execute(
                update(sequences)
                .where(sequences.c.export == "people", sequences.c.series == "plain")
                .values(next=number + 1)
            )
    for folder in world.services.spool.folders():
        world.services.spool.discard(folder)
    world.ledger.breakers.close(["a"])


@pytest.mark.parametrize(
    ("feed", "more"), [*((feed, False) for feed in Feed), (Feed.DATA_OUT, True)]
)
def test_d6_what_was_sealed_by_another_release_and_not_put_is_sealed_anew(
    world: World,
    feed: Feed,
    more: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.sync(**FIELDS[feed])
    run(world, feed, 0, world.services)
    commit(world, feed, 1)
    run(world, feed, 1, Broken(world, Unreachable("No.")).services())
    as_sealed_by_another(world, more=more)

    assert [one.error for one in run(world, feed, 2, world.as_run("run 2")) if one.error] == []

    assert [file.sequence for file in world.ledger.manifests.files("a")] == [1]
    with world.ledger.database.engine.connect() as connection:
        assert set(connection.scalars(select(plans.c.producer))) == {PRODUCER}
    commit(world, feed, 3)
    assert [one.error for one in run(world, feed, 3, world.services) if one.error] == []
    assert {file.sequence for file in world.ledger.manifests.files("a")} == {1, 2}
    assert world.verify().ok


def test_d6_a_slice_that_another_release_sealed_is_sealed_anew(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    as_sealed_by_another(world)

    world.run(1, "metrics", services=in_slices(world, 4))

    assert parts(world) == [(1, 1), (1, 2), (1, 3)]
    made = {
        pl.read_parquet_metadata(path)["cio.producer"] for path in world.folder().glob("metrics*")
    }
    assert made == {PRODUCER}
    assert state(world).open_plan is None
    assert world.verify().ok


def test_d6_what_another_release_put_is_never_replaced(world: World) -> None:
    world.sync()
    world.commit("events", event("e"), at=during(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_export, "PRODUCER", OTHER)
        with pytest.raises(Crash):
            world.run(
                0, "events", services=watched(world.services, DieAfter("destination.put"), "run 1")
            )
    for folder in world.services.spool.folders():
        world.services.spool.discard(folder)

    (outcome,) = world.run(
        1, "events", services=world.as_run("run 1", source=Other(world.services.source))
    )

    assert str(outcome.error).startswith("DigestMismatch")
    assert len(world.names()) == 1

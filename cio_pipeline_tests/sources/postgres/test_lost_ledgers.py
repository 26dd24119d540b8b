"""D10: a ledger that is rebuilt finds tables as they were when a window was cut, all of them."""

import pytest

from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.recovery.test_feeds import (
    test_d10_files_of_the_first_window_are_put_back_after_the_ledger_was_lost,
)
from cio_pipeline_tests.recovery.test_slices import in_slices, one_slice
from cio_pipeline_tests.world import World, during, window

# Run once more, on tables in PostgreSQL.
__all__ = ["test_d10_files_of_the_first_window_are_put_back_after_the_ledger_was_lost"]


@pytest.mark.parametrize("listed", [True, False])
def test_d10_a_slice_that_was_put_is_encoded_as_it_was(world: World, listed: bool) -> None:  # noqa: FBT001 - pytest's
    sync = world.sync()
    person = {"internal_customer_id": "m", "email": "m@x.example"}
    world.commit("people", person, at=during(0))
    rows = [
        {"event_id": f"m{n}", "internal_customer_id": "m", "reason": "m@x.example"}
        for n in range(7)
    ]
    world.commit("metrics", *rows, at=during(0))
    world.now = window(0).end
    world = in_slices(world)
    one_slice(world, "metrics")
    world.now += 2 * TTL
    commit_window(world.services, window(0))
    if not listed:
        one_slice(world, "metrics")
        world.now += 2 * TTL
    before = {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")}
    # From now on, first files leave nameless whom the metrics are about.
    world.commit("people", {**person, "deleted": True}, at=during(1))
    world = in_slices(without_ledger(world))
    assert rebuild(world.services, [sync])[0].error is None
    outcomes = world.run(0, "metrics")
    assert not [one.error for one in outcomes if one.error]
    for name in before:
        (world.folder() / name).unlink()
    assert {one.error for one in restore(world.services)} == {None}
    assert {name: (world.folder() / name).read_bytes() for name in before} == before
    assert world.verify().ok

"""Initial exports that stopped between slices: where a later run goes on, and what others see."""

import weakref
from typing import Any

import pytest

from cio_pipeline.changesets.build import Changeset
from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.plans import SentSoFar, Series
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline.planning import preview as planning_preview
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.planning.preview import preview
from cio_pipeline.pipeline.planning.rows import changeset_of
from cio_pipeline_tests.pipeline.sliced import (
    Broken,
    Watched,
    digests,
    fill,
    in_slices,
    parts,
    state,
    stop_after,
)
from cio_pipeline_tests.world import World, during, window


def test_d6_a_later_run_goes_on_at_the_slice_and_reads_none_before(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    known = state(world).open_plan
    assert known
    assert (known.slice, known.slices, known.slice_rows) == (1, 3, 4)
    assert known.sent == SentSoFar({Series.PLAIN: 1}, 4)

    watched = Watched(world.services.source)
    world.run(1, "metrics", services=in_slices(world, 4, source=watched))

    read = [part for table, part in watched.read if table == "metrics"]
    assert read == [TableSlice(8, 12)], "slice 1 was sealed and lay in the spool"


def test_d6_a_sealed_slice_whose_spool_is_lost_is_encoded_again(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    for folder in world.services.spool.folders():
        world.services.spool.discard(folder)
    watched = Watched(world.services.source)
    # The slices of a plan stay as they are, whatever size new ones would have.
    world.run(1, "metrics", services=in_slices(world, 1, source=watched))
    read = [part for table, part in watched.read if table == "metrics"]
    assert read == [TableSlice(4, 8), TableSlice(8, 12)]
    assert parts(world) == [(1, 1), (1, 2), (1, 3)]
    assert world.verify().ok


def test_d6_an_interrupted_export_has_the_bytes_of_an_uninterrupted_one(world: World) -> None:
    world.sync()
    world.sync("whole")
    fill(world, 1)
    world.run(0, "metrics", sync_ids=["whole"], services=in_slices(world, 4))
    for puts in range(3):
        bucket = Broken(world.services.destinations(world.ledger.registry.get("a").sync), puts)
        broken = in_slices(world, 4, destinations=lambda _, bucket=bucket: bucket)
        world.run(puts, "metrics", sync_ids=["a"], services=broken)
    world.run(3, "metrics", services=in_slices(world, 4))
    assert digests(world, "a") == digests(world, "whole")
    assert world.verify().ok


def test_a_tick_does_not_touch_an_unfinished_initial_export(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    before = state(world)
    assert world.run(1, "metrics", lane=Lane.TICK) == ()
    assert state(world) == before
    world.run(1, "metrics", lane=Lane.INITIAL, services=in_slices(world, 4))
    assert state(world).position
    assert world.read("metrics").height == 12


def test_d6_what_changed_meanwhile_is_sent_by_the_next_window(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 2)
    world.commit("metrics", {"event_id": "meanwhile"}, at=during(1))
    world.run(1, "metrics", services=in_slices(world, 4))
    assert world.read("metrics")["event_id"].to_list()[-1] == "meanwhile"
    assert world.read("metrics").height == 13
    assert world.verify().ok


def test_plans_at_different_slices_catch_up_and_then_share_a_scan(world: World) -> None:
    opened = world.services.destinations
    buckets = {
        sync_id: Broken(opened(world.sync(sync_id, workspace)), puts)
        for sync_id, workspace, puts in (("a", 1, 0), ("b", 2, 1))
    }
    fill(world, 1, 2)
    broken = in_slices(world, 8, destinations=lambda sync: buckets[sync.id])
    world.run(0, "metrics", services=broken)
    assert [state(world, sync_id=one).open_plan.slice for one in "ab"] == [0, 1]  # type: ignore[union-attr]

    watched = Watched(world.services.source)
    world.run(1, "metrics", services=in_slices(world, 8, source=watched))

    read = [part for table, part in watched.read if table == "metrics"]
    assert read == [TableSlice(8, 16), TableSlice(16, 24)], "both plans read the last one together"
    for sync_id in "ab":
        assert world.read("metrics", sync_id).height == 12
        assert world.verify(sync_id).ok


def test_a_table_that_lost_its_slices_is_named(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)

    class Other(Watched):
        def slices(self, *_: object) -> list[TableSlice]:
            return [TableSlice(0, 12)]

    changed = in_slices(world, 4, source=Other(world.services.source))
    (outcome,) = world.run(1, "metrics", services=changed)
    assert outcome.rows == 4, "the slice that was sealed already"
    assert "Table metrics has 1 slices at version 3" in str(outcome.error)
    assert "was made for 3" in str(outcome.error)
    world.run(2, "metrics", services=in_slices(world, 4))
    assert world.verify().ok


def test_a_preview_of_an_unfinished_initial_export_counts_what_is_left(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    world.now = window(1).end
    found = [
        one
        for one in preview(in_slices(world, 4), window(1), Scope(), count=True)
        if one.export == "metrics"
    ]
    assert (found[0].decision, found[0].rows) == ("Resume", 8)


def test_a_preview_holds_no_more_than_a_slice_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the people in memory that its rows may name."""
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    world.now = window(1).end
    read: list[weakref.ref[Changeset]] = []

    def watched(*given: Any, **named: Any) -> Changeset:
        assert [one() for one in read if one() is not None] == []
        found = changeset_of(*given, **named)
        read.append(weakref.ref(found))
        return found

    monkeypatch.setattr(planning_preview, "changeset_of", watched)
    found = preview(in_slices(world, 4), window(1), Scope(), count=True)
    assert next(one.rows for one in found if one.export == "metrics") == 8
    assert len(read) > 1


def test_d6_the_versions_that_an_unfinished_initial_export_reads_are_told_to_be_kept(
    world: World,
) -> None:
    """Until it is finished there is no position, and a vacuum would end it half-way."""
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    needed = oldest_needed(world.ledger)
    assert {table: cut.at for table, cut in needed.items()} == {
        "metrics": window(0).end,
        "people": window(0).end,
    }

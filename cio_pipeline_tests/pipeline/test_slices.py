"""Initial exports slice by slice: what is sent, listed, shown, and where a later run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.plans import Sent, Series
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline.ports import TableSlice
from cio_pipeline.pipeline.preview import preview
from cio_pipeline.pipeline.write_manifests import write_manifests
from cio_pipeline_tests.pipeline.sliced import (
    Broken,
    Watched,
    digests,
    fill,
    in_slices,
    listed,
    parts,
)
from cio_pipeline_tests.world import World, during, window


def state(world: World, export: str = "metrics", sync_id: str = "a") -> ExportState:
    return world.ledger.registry.states([export], [sync_id])[0]


def stop_after(world: World, puts: int, rows: int = 4, **changed: object) -> None:
    """Run the first window with a bucket that fails after some files."""
    bucket = Broken(world.services.destinations(world.ledger.registry.get("a").sync), puts)
    broken = in_slices(world, rows, destinations=lambda _: bucket, **changed)
    outcomes = world.run(0, "metrics", services=broken)
    assert [outcome.error is not None for outcome in outcomes] == [True]


def test_d5_slices_send_all_rows_once_under_contiguous_parts(world: World) -> None:
    world.sync()
    fill(world, 1)
    (outcome,) = world.run(0, "metrics", services=in_slices(world, 4))
    assert (outcome.rows, outcome.files, outcome.error) == (12, 3, None)
    assert parts(world) == [(1, 1), (1, 2), (1, 3)]
    assert len(set(world.read("metrics")["event_id"])) == world.read("metrics").height == 12
    assert state(world).position
    assert state(world).next_sequence[Series.PLAIN] == 2
    assert world.verify().ok
    assert list((world.root / "spool").iterdir()) == []

    world.commit("metrics", {"event_id": "later"}, at=during(1))
    world.run(1, "metrics")
    assert parts(world)[-1] == (2, None)


@pytest.mark.parametrize("export", EXPORTS)
def test_d1_the_slices_of_an_initial_export_are_what_it_is_in_one(
    tmp_path: Path, export: str
) -> None:
    world = World(tmp_path)
    world.sync("one")
    world.sync("many")
    table = EXPORTS[export].source
    for number in range(6):
        for name in {table, *EXPORTS[export].joins}:
            fields = row(number)
            known = {column.name for column in SOURCE_TABLES[name].columns}
            wanted = {key: value for key, value in fields.items() if key in known}
            gone = {"deleted": number == 3} if name == "people" else {}
            world.commit(name, {**wanted, **gone}, at=during(0, number))
    world.run(0, export, sync_ids=["one"])
    world.run(0, export, sync_ids=["many"], services=in_slices(world, 1))
    assert len(world.names("one")) == 1
    assert world.read(export, "many").equals(world.read(export, "one"))
    assert len(world.names("many")) == world.read(export, "one").height >= 5


def row(number: int) -> dict[str, Any]:
    """The identity of a row of any source table, and what its export asks for."""
    names = ("internal_customer_id", "internal_object_id", "event_id", "delivery_id")
    ids = dict.fromkeys((*names, "output_id", "subject_name"), f"x{number}")
    numbers = ("campaign_id", "broadcast_id", "object_type_id")
    return {
        **ids,
        **dict.fromkeys(numbers, number),
        "processed_at": during(0),
        "attribute_value": "1",
    }


def test_d10_each_manifest_lists_the_slices_committed_so_far(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    assert listed(world) == ["metrics_v5_1_1_1.parquet"]
    assert parts(world) == [(1, 1)]
    report = world.verify()
    assert (report.ok, report.files, report.warnings) == (True, 1, ())
    body = json.loads((world.folder() / "_cio/1.manifest").read_bytes())
    assert [file["mode"] for file in body["files"]] == ["initial"]
    assert [one["state"] for one in body["exports"] if one["export"] == "metrics"] == [
        "initial-running"
    ]
    assert state(world).position is None

    world.run(1, "metrics", services=in_slices(world, 4))
    assert parts(world) == [(1, 1), (1, 2), (1, 3)]
    assert world.manifests() == ["1.manifest", "2.manifest"]
    assert world.verify().ok


def test_d10_parts_that_are_not_listed_yet_are_no_problem(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    name = "metrics_v5_1_1_2.parquet"
    (world.folder() / name).write_bytes(b"put by a run that has not committed it yet")
    report = world.verify()
    assert report.ok
    assert [warning.key for warning in report.warnings] == [name]


def test_d6_a_later_run_goes_on_at_the_slice_and_reads_none_before(world: World) -> None:
    world.sync()
    fill(world, 1)
    stop_after(world, 1)
    known = state(world).open_plan
    assert known
    assert (known.slice, known.slices, known.slice_rows) == (1, 3, 4)
    assert known.sent == Sent({Series.PLAIN: 1}, 4)

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
    world.sync("a")
    world.sync("b", 2)
    fill(world, 1, 2)
    a = world.ledger.registry.get("a").sync
    bucket = Broken(world.services.destinations(a), 1)
    opened = world.services.destinations
    broken = in_slices(
        world, 8, destinations=lambda sync: bucket if sync.id == "a" else opened(sync)
    )
    first = {outcome.sync_id: outcome for outcome in world.run(0, "people", services=broken)}
    assert first["a"].error
    assert (first["b"].error, first["b"].rows) == (None, 12)
    assert [p.slice for p in [state(world, "people").open_plan] if p] == [1]

    world.sync("c", 3)
    world.run(1, "people", services=in_slices(world, 8))
    for sync_id in ("a", "b"):
        assert world.read("people", sync_id).height == 12
        assert world.verify(sync_id).ok


def test_o1_rows_held_back_in_several_slices_are_counted_once(world: World) -> None:
    world.sync()
    fill(world, 1)
    (outcome,) = world.run(0, "attributes", services=in_slices(world, 4))
    assert (outcome.rows, outcome.quarantined) == (9, 3)
    assert [entry.count for entry in world.ledger.quarantine.entries()] == [1, 1, 1]


def test_slices_count_the_rows_of_served_workspaces(world: World) -> None:
    world.sync("a", 1)
    fill(world, *range(1, 7))
    world.run(0, "metrics", services=in_slices(world, 4))
    assert parts(world) == [(1, 1), (1, 2), (1, 3)]
    assert world.read("metrics").height == 12


def test_a_workspace_without_rows_gets_a_position_and_no_file(world: World) -> None:
    world.sync("a", 7)
    fill(world, 1)
    world.run(0, "metrics", services=in_slices(world, 4))
    assert world.names() == []
    assert state(world).position


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


def test_progress_is_told_by_slice_and_by_file(world: World) -> None:
    world.sync()
    fill(world, 1)
    told: list[tuple[str, int, int]] = []
    services = in_slices(world, 4, progress=lambda *one: told.append(one))
    world.run(0, "metrics", services=services)
    files, slices = ("metrics: files", 1, 1), "metrics: slices"
    assert told == [files, (slices, 1, 3), files, (slices, 2, 3), files, (slices, 3, 3)]
    told.clear()
    world.run(0, "people", services=services)
    assert ("people: slices", 3, 3) in told


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


def test_manifests_can_be_written_while_slices_are_sent(world: World) -> None:
    """What a tick beside an initial run does."""
    world.sync()
    fill(world, 1)

    def tick(what: str, _done: int, _of: int) -> None:
        if what == "metrics: slices":
            write_manifests(world.as_run("tick"), window(0))
            assert world.verify().ok

    world.run(0, "metrics", services=in_slices(world, 4, progress=tick))
    assert len(world.manifests()) == 3
    assert world.verify().files == 3

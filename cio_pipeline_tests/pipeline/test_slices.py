"""Initial exports slice by slice: what is sent, listed, shown, and where a later run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.plans import Series
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline_tests.pipeline.sliced import (
    fill,
    in_slices,
    listed,
    parts,
    state,
    stop_after,
)
from cio_pipeline_tests.world import World, during, window


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
    assert world.manifests() == ["1.manifest", "2.manifest", "3.manifest"]
    for part in (1, 2, 3):
        body = json.loads((world.folder() / f"_cio/{part}.manifest").read_bytes())
        assert [file["part"] for file in body["files"]] == [part]
        (stands,) = [one for one in body["exports"] if one["export"] == "metrics"]
        assert (stands["initial"] or {}).get("done") == (part if part < 3 else None)
        assert (stands["position"] is None) == (part < 3)
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


def test_manifests_can_be_written_while_slices_are_sent(world: World) -> None:
    """What a tick beside an initial run does."""
    world.sync()
    fill(world, 1)

    def tick(what: str, _done: int, _of: int) -> None:
        if what == "metrics: slices":
            commit_window(world.as_run("tick"), window(0))
            assert world.verify().ok

    world.run(0, "metrics", services=in_slices(world, 4, progress=tick))
    assert len(world.manifests()) == 3
    assert world.verify().files == 3

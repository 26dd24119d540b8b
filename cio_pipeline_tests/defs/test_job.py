"""The job in process: what a run shows, and what a failure leaves whole."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from cio_pipeline.defs.feeds import export_key
from cio_pipeline.defs.io_manager import ExportIOManager
from cio_pipeline.defs.manifest import FAILED_SYNCS
from cio_pipeline.demo.world import TINY
from cio_pipeline.demo.write import write_history
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.planning.cuts import tables_of
from cio_pipeline.pipeline.run_export import plan_export
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline_tests.defs.running import (
    EVERYTHING,
    Dagster,
    check,
    dagster_on,
    materialized,
    metadata,
    table,
)
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def dagster(world: World) -> Iterator[Dagster]:
    with dagster_on(world) as found:
        yield found


def people(world: World, *workspaces: int, number: int = 0, name: str = "x") -> None:
    for workspace in workspaces:
        row = {"internal_customer_id": name, "workspace_id": workspace}
        world.commit("people", row, at=during(number))


def break_sync(world: World, sync_id: str) -> None:
    """Its folder's place is taken by a file."""
    world.folder(sync_id).parent.mkdir(exist_ok=True)
    world.folder(sync_id).write_text("in the way")


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        str(event.step_key): event.step_failure_data.error_display_string
        for event in result.all_node_events
        if event.is_step_failure
    }


def test_a_demo_s_window_is_materialised_with_what_it_sent(world: World, dagster: Dagster) -> None:
    uri = str(world.root / "demo")
    write_history(uri, TINY, 1, during(0), lambda *_: None)
    dagster.services = replace(world.services, source=DeltaSource(uri))
    world.sync("acme", 1, owner="data@acme.example")
    world.sync("beta", 2, version=4)

    result = dagster.run(0)

    assert result.success
    assert materialized(result) == EVERYTHING
    assert all(one.passed for one in result.get_asset_check_evaluations())
    found = metadata(result, "people")
    rows = table(found["syncs"].records)
    assert [(row["sync"], row["mode"]) for row in rows] == [
        ("acme", "initial"),
        ("beta", "initial"),
    ]
    assert found["rows"] == sum(row["rows"] for row in rows) == found["dagster/row_count"]
    assert (found["files"], found["syncs_sent"], found["syncs_failed"]) == (2, 2, 0)
    on_disk = [*world.folder("acme").glob("people*"), *world.folder("beta").glob("people*")]
    assert found["bytes"] == sum(path.stat().st_size for path in on_disk)
    assert next(iter(found)) == "window"
    # Dagster plots them over time.
    for asset in ("people", "manifest"):
        told = metadata(result, asset)
        assert told["seconds"] > 0
        assert told["lag_seconds"] == 1.0, "the run began a second after the window's end"
    listed = table(metadata(result, "manifest")["syncs"].records)
    assert [row["manifest"] for row in listed] == ["_cio/1.manifest", "_cio/1.manifest"]
    assert world.verify("acme").ok


def test_o8_a_failing_sync_leaves_the_partition_green_and_its_check_red(
    world: World, dagster: Dagster
) -> None:
    world.sync("bad", 1, owner="data@acme.example")
    world.sync("good", 2)
    people(world, 1, 2)
    break_sync(world, "bad")

    result = dagster.run(0, "people")

    assert result.success
    assert materialized(result) == {"people", "manifest"}
    red = check(result, "people")
    assert not red.passed
    assert red.description is not None
    assert red.description.startswith("1 of 2 due syncs are in order. bad (data@acme.example): ")
    assert "is a file, not a folder" in red.description
    assert red.metadata["syncs_failed"].value == 1
    assert "data@acme.example" in str(red.metadata["syncs"].value)
    first, second = table(metadata(result, "people")["syncs"].records)
    assert (first["sync"], first["files"]) == ("bad", 0)
    assert "is a file, not a folder" in first["error"]
    assert (second["sync"], second["error"]) == ("good", "")
    # The run is green, and the list of runs shows all the same who failed.
    run = dagster.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags[FAILED_SYNCS] == "bad"
    whole = dagster.run(1, "people", sync_ids=["good"])
    run = dagster.instance.get_run_by_id(whole.run_id)
    assert run is not None
    assert FAILED_SYNCS not in run.tags


def test_d10_a_manifest_that_cannot_be_written_turns_its_check_red_until_it_lies_there(
    world: World, dagster: Dagster
) -> None:
    world.sync("bad", 1, owner="data@acme.example")
    world.sync("good", 2)
    people(world, 1, 2)
    in_the_way = world.folder("bad") / "_cio"
    world.folder("bad").mkdir(parents=True)
    in_the_way.write_text("a file")

    result = dagster.run(0, "people")

    assert result.success
    assert check(result, "people").passed
    red = check(result, "manifest")
    assert not red.passed
    assert red.description is not None
    assert red.description.startswith("1 of 2 due syncs are in order. bad (data@acme.example): ")
    assert metadata(result, "manifest")["syncs_failed"] == 1
    rows = {row["sync"]: row for row in table(metadata(result, "manifest")["syncs"].records)}
    assert "_cio" in rows["bad"]["error"]
    assert (rows["good"]["manifest"], rows["good"]["error"]) == ("_cio/1.manifest", "")

    in_the_way.unlink()
    close_breaker(world.ledger, "bad")
    assert check(dagster.run(1, "people"), "manifest").passed
    assert world.verify("bad").ok
    assert check(dagster.run(0, "people"), "manifest").passed


def test_a_step_is_red_once_every_sync_failed(world: World, dagster: Dagster) -> None:
    world.sync("bad")
    people(world, 1)
    break_sync(world, "bad")

    result = dagster.run(0, "people")

    assert not result.success
    assert "none of 1 syncs could be served" in failures(result)["people"]
    assert "people: none" not in failures(result)["people"], "the step is named beside it"
    assert "is a file, not a folder" in failures(result)["people"]


def test_o8_a_broken_sync_beside_idle_ones_leaves_the_step_green(
    world: World, dagster: Dagster
) -> None:
    world.sync("bad", 1)
    world.sync("idle", 2)
    people(world, 2)
    dagster.run(0, "people")
    people(world, 1, number=1)
    break_sync(world, "bad")

    result = dagster.run(1, "people")

    assert result.success
    assert not check(result, "people").passed


def test_a_broken_source_table_makes_its_export_red_and_the_others_are_delivered(
    world: World, dagster: Dagster
) -> None:
    world.sync("a")
    people(world, 1)
    world.commit("broadcasts", {"broadcast_id": 1}, at=during(0))
    for lost in (Path(world.source_uri) / "broadcasts").rglob("*.parquet"):
        lost.unlink()

    result = dagster.run(0, "people", "broadcasts")

    assert not result.success
    assert {one for one in failures(result) if one in EVERYTHING} == {"broadcasts"}
    assert materialized(result) == {"people"}
    assert check(result, "people").passed
    assert world.names() == ["people_v5_1_1.parquet"]
    assert world.manifests() == []


def test_nothing_to_do_is_green_and_writes_nothing(world: World, dagster: Dagster) -> None:
    world.sync("a")
    people(world, 1)
    dagster.run(0, "people")
    before = (world.names(), world.manifests())

    again, next_window = dagster.run(0, "people"), dagster.run(1, "people")

    assert again.success
    assert next_window.success
    assert (world.names(), world.manifests()) == before
    assert metadata(again, "people")["syncs_without_changes"] == 0
    assert metadata(next_window, "people")["syncs_without_changes"] == 1
    assert check(next_window, "people").passed


def test_without_any_sync_a_run_is_green(dagster: Dagster) -> None:
    result = dagster.run(0, "people")
    assert result.success
    assert metadata(result, "people")["syncs_sent"] == 0


def test_the_scope_limits_a_run_to_its_syncs(world: World, dagster: Dagster) -> None:
    world.sync("a", 1)
    world.sync("b", 2)
    people(world, 1, 2)

    result = dagster.run(0, "people", sync_ids=["b"])

    assert (world.names("a"), world.names("b")) == ([], ["people_v5_2_1.parquet"])
    assert [row["sync"] for row in table(metadata(result, "people")["syncs"].records)] == ["b"]
    assert [row["sync"] for row in table(metadata(result, "manifest")["syncs"].records)] == ["b"]


def test_d8_nothing_that_dagster_stores_holds_a_secret(
    world: World, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's URL is the one secret of a run on local folders."""
    secret = "only-the-ledger-knows"  # noqa: S105 - it opens nothing
    url = f"sqlite:///{world.root}/{secret}.db"
    monkeypatch.setenv("CIO_LEDGER", url)
    world.sync("a")
    people(world, 1)

    result = dagster.run(0, "people")

    run = dagster.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.run_config["resources"] == {"scope": {"config": {"sync_ids": []}}}
    events = dagster.instance.all_logs(result.run_id)
    stored = json.dumps(run.run_config) + json.dumps(dict(run.tags)) + "".join(map(str, events))
    assert secret not in stored


def test_two_runs_of_one_window_leave_the_busy_sync_to_its_holder(
    world: World, dagster: Dagster
) -> None:
    world.sync("a")
    people(world, 1)
    other = world.as_run("run of somebody else")
    world.now = window(0).end
    batch = plan_export(other, "people", window(0), Scope())
    try:
        result = dagster.run(0, "people")
    finally:
        world.ledger.leases.release(batch.lease)

    assert result.success
    assert metadata(result, "people")["syncs_busy"] == 1
    assert world.names() == []


def test_an_export_s_files_cannot_be_loaded_as_an_input(dagster: Dagster) -> None:
    context = dg.build_input_context(asset_key=export_key("people"))
    manager = ExportIOManager(pipeline=dg.ResourceDefinition.hardcoded_resource(None))
    with pytest.raises(dg.DagsterInvariantViolationError, match="belong to the workspaces"):
        manager.load_input(context)


def test_d6_a_check_is_yellow_while_rows_wait_for_a_time_ahead(
    world: World, dagster: Dagster
) -> None:
    world.sync("a")
    people(world, 1)
    dagster.run(0, "people", "events")
    world.commit("people", {"internal_customer_id": "y"}, at=during(960))
    people(world, 1, number=1, name="z")

    result = dagster.run(1, "people", "events")

    assert result.success
    found = {str(one.asset_key.path[-1]): one for one in result.get_asset_check_evaluations()}
    yellow = found["people"]
    assert (yellow.passed, yellow.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert yellow.description is not None
    assert yellow.description.startswith("1 of 1 due syncs are in order. Table people: Version 2")
    assert "2026-03-11 12:05" in str(yellow.metadata["source"].value)
    assert found["events"].passed == ("people" not in tables_of("events"))

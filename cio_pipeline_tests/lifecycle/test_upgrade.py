"""D7: from v4 to v5, shared exports go on where they are, and new ones start with their history."""

from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable

from cio_pipeline.cli.sync_history import print_history
from cio_pipeline.model.errors import InvalidConfig, UnknownExport
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.pipeline.lifecycle.switches import pause
from cio_pipeline.pipeline.lifecycle.upgrade import upgrade
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import wanted_runs
from cio_pipeline.pipeline.scheduling.standing import standing as whole
from cio_pipeline.sources.tables import commit_metadata
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.lifecycle.doing import do, move, standing
from cio_pipeline_tests.recovery.loss import DieAfter, change, go_on, without_ledger
from cio_pipeline_tests.world import World, during, window


def sent(world: World, export: str) -> list[tuple[str, Mode]]:
    """Keys of an export's files, and why they were sent."""
    files = world.ledger.manifests.files("a")
    return [(file.key, file.mode) for file in files if file.export == export]


def test_d7_shared_exports_go_on_and_new_ones_start_with_their_history(world: World) -> None:
    sync = world.sync(version=4)
    go_on(world, range(2))
    found = do(world, upgrade, at=during(2))

    assert found.changed[0] == "version 4 to 5"
    assert "events on" in found.changed
    go_on(world, [2])

    assert sorted(sent(world, "people")[-2:]) == [
        ("people_v5_1_3.parquet", Mode.CHANGES),
        ("people_v5_chngs_1_2.parquet", Mode.CHANGES),
    ]
    assert sent(world, "events") == [("events_v5_1_1.parquet", Mode.INITIAL)]
    assert sorted(world.read("events")["event_id"]) == ["e0", "e1", "e2"]
    assert world.verify().ok

    again = without_ledger(world)
    rebuild(again.services, [sync.model_copy(update={"version": 5})])
    go_on(again, [3])
    assert ("people_v5_chngs_1_3.parquet", Mode.CHANGES) in sent(again, "people")
    assert again.verify().ok


def test_d7_the_command_tells_what_rows_sent_before_lack(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics", "outputs"])
    notes = do(world, upgrade).notes
    (metrics,) = [note for note in notes if note.startswith("Rows of metrics")]
    assert "lack " in metrics
    assert "--resend metrics" in metrics
    (people,) = [note for note in notes if note.startswith("Rows of people")]
    assert "v4's created_at" in people
    assert not any("outputs" in note for note in notes)
    assert any("`version: 5` into the sync file" in note for note in notes)


def test_d7_exports_are_sent_again_on_demand(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics"])
    go_on(world, range(2))
    found = do(world, upgrade, "metrics")
    assert "metrics is sent again" in found.changed
    assert not any(note.startswith("Rows of metrics") for note in found.notes)
    go_on(world, [2])
    assert sent(world, "metrics")[-2:] == [
        ("metrics_v5_1_3_1.parquet", Mode.INITIAL),
        ("metrics_v5_1_4.parquet", Mode.CHANGES),
    ]
    assert sent(world, "people")[-1][1] is Mode.CHANGES
    rows = [f.rows for f in world.ledger.manifests.files("a") if f.export == "metrics"]
    assert rows == [1, 1, 2, 1]
    assert world.verify().ok


@pytest.mark.parametrize("newest", [False, True])
def test_d6_who_is_deleted_before_an_export_is_sent_again_is_told(
    world: World, *, newest: bool
) -> None:
    exports = ("people", "attributes")
    world.sync(version=5 if newest else 4, exports=exports)
    them = [{"internal_customer_id": name} for name in ("gone", "removed", "stays", "early")]
    world.commit("people", *them[:3], {**them[3], "deleted": True}, at=during(0))
    world.commit("attributes", *them, at=during(0))
    world.run(0, *exports)
    late: dict[str, Any] = {"updated_at": during(1)}
    world.commit("people", {**them[0], "deleted": True, **late}, {**them[3], **late}, at=during(1))
    DeltaTable(f"{world.source_uri}/people").delete(
        "internal_customer_id = 'removed'",
        commit_properties=CommitProperties(commit_metadata(during(1))),
    )
    world.commit(
        "attributes",
        {**them[2], "attribute_value": None, "timestamp": during(1)},
        at=during(1),
    )
    found = do(world, upgrade, *exports, at=during(1))
    assert {f"{name} is sent again" for name in exports} <= set(found.changed)
    world.run(1, *exports)
    world.run(2, *exports)

    assert {mode for _, mode in sent(world, "people")[-3:]} == {Mode.INITIAL, Mode.CHANGES}
    people = world.read("people").sort("updated_at").group_by("internal_customer_id").last()
    by = dict(people.select("internal_customer_id", "deleted").iter_rows())
    assert by == {"gone": True, "removed": True, "stays": False, "early": False}
    last = world.read("attributes").sort("timestamp").group_by("internal_customer_id").last()
    values = dict(last.select("internal_customer_id", "attribute_value").iter_rows())
    assert values["stays"] == ""
    assert world.verify().ok


def test_d7_what_is_sent_again_is_neither_late_nor_registered(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.sync(exports=["people"])
    go_on(world, range(2))
    do(world, upgrade, "people")
    assert [one for one in whole(world.services).wrong if one.kind == "late"] == []
    world.now = window(4).end
    assert [one.kind for one in whole(world.services).wrong] == ["late"]
    print_history("a", world.ledger.registry.history("a"))
    assert capsys.readouterr().out.count("registered") == 1


@pytest.mark.parametrize("how", ["twice", "abandoned", "moved"])
def test_d6_who_is_deleted_is_told_whatever_becomes_of_what_is_sent_again(
    world: World, how: str
) -> None:
    """Its plan goes by where the export stands, and that stays where it is."""
    world.sync(exports=["people"])
    world.commit("people", {"internal_customer_id": "removed"}, at=during(0))
    world.run(0, "people")
    DeltaTable(f"{world.source_uri}/people").delete(
        commit_properties=CommitProperties(commit_metadata(during(1)))
    )
    do(world, upgrade, "people", at=during(1))
    (state,) = world.ledger.registry.states(["people"], ["a"])
    again = wanted_runs([state], Seen({}, {}, ()), window(0).end)
    assert [(one.lane, one.window) for one in again] == [(Lane.INITIAL, window(0))]
    if how == "twice":
        do(world, upgrade, "people", at=during(1))
    elif how == "abandoned":
        abandon(world.services, "a", "people")
    else:
        move(world, "elsewhere")
    world.run(1, "people")
    world.run(2, "people")

    files = [*world.folder().glob("*.parquet"), *(world.root / "elsewhere").glob("*.parquet")]
    rows = pl.concat([pl.read_parquet(path) for path in files]).sort("updated_at")
    assert rows["deleted"].to_list() == [False] * (len(files) - 1) + [True]
    assert len(files) == (3 if how == "twice" else 2)
    assert world.verify().ok


def test_d7_an_export_that_is_off_is_not_sent_again(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics"])
    go_on(world, range(1))
    do(world, pause, "people")
    for off in ("people", "subjects"):
        with pytest.raises(InvalidConfig, match=f"{off} is off"):
            do(world, upgrade, off)
    assert standing(world).sync.version == 4


def test_d7_a_plan_under_way_is_finished_as_v4_or_given_up_if_sent_again(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics"])
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    for export in ("people", "metrics"):
        dying = watched(world.services, DieAfter("destination.put"), "dying")
        with pytest.raises(Crash):
            run_export(dying, export, window(1), Scope())
    world.now += 2 * TTL
    found = do(world, upgrade, "metrics")
    assert any("plan of metrics was given up" in note for note in found.notes)
    go_on(world, [2])
    assert "people_v4_1_2.parquet" in world.names()
    assert "people_v5_1_3.parquet" in world.names()
    assert "metrics_v4_1_2.parquet" not in world.names()
    assert sent(world, "metrics")[-2:] == [
        ("metrics_v5_1_3_1.parquet", Mode.INITIAL),
        ("metrics_v5_1_4.parquet", Mode.CHANGES),
    ]
    report = world.verify()
    assert report.ok
    assert not report.warnings


def test_d7_going_back_is_refused_and_the_file_upgrades_too(world: World) -> None:
    sync = world.sync(version=4, exports=["people"])
    newer = sync.model_copy(update={"version": 5})
    (applied,) = apply_syncs(world.services, [newer], lambda one: ("local", one.id), world.now)
    assert applied.changes == ("version",)
    assert any("v4's created_at" in note for note in applied.notes)
    with pytest.raises(InvalidConfig, match="cannot go back to v4"):
        apply_syncs(world.services, [sync], lambda one: ("local", one.id), world.now)
    with pytest.raises(InvalidConfig, match="newest version"):
        do(world, upgrade)
    assert standing(world).sync.version == 5
    assert do(world, upgrade, "people").changed == ("people is sent again",)


def test_what_v4_does_not_have_cannot_be_sent_again(world: World) -> None:
    world.sync(version=4)
    with pytest.raises(UnknownExport):
        do(world, upgrade, "events")
    assert standing(world).sync.version == 4


def test_d10_files_between_an_upgrade_and_its_first_manifest_are_in_flight(world: World) -> None:
    world.sync(version=4)
    go_on(world, range(2))
    do(world, upgrade, at=during(2))
    change(world, 2)
    world.now = window(2).end
    for export in ("people", "events"):
        run_export(world.services, export, window(2), Scope())

    report = world.verify()

    assert report.problems == ()
    assert {one.key for one in report.warnings} == {
        "people_v5_1_3.parquet",
        "people_v5_chngs_1_2.parquet",
        "events_v5_1_1.parquet",
    }


def test_d7_catching_up_does_not_undo_that_an_export_is_sent_again(world: World) -> None:
    world.sync(version=4, exports=["people", "metrics"])
    go_on(world, range(2))
    do(world, upgrade, "metrics")
    assert [one.error for one in catch_up(world.services)] == [None]
    go_on(world, [2])
    assert sent(world, "metrics")[-2] == ("metrics_v5_1_3_1.parquet", Mode.INITIAL)

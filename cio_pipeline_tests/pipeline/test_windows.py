"""Windows through the whole product: what each sends, in and out of order, paused and resumed."""

from typing import Any

import pytest

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.pipeline.lifecycle.switches import switch_exports
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline_tests.world import NOON, World, during, window


def person(name: str, minute: float = 0, number: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "internal_customer_id": name,
        "id": name,
        "email": f"{name}@acme.example",
        "updated_at": during(number, minute),
        **fields,
    }


def test_d6_the_first_window_sends_all_history_and_later_ones_what_changed(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), person("bob"), at=during(0))
    world.run(0, "people")
    assert world.names() == ["people_v5_1_1.parquet"]

    world.commit("people", person("bob", 5, 1), person("eve", 5, 1), at=during(1))
    world.run(1, "people")

    assert world.names() == [
        "people_v5_1_1.parquet",
        "people_v5_1_2.parquet",
        "people_v5_chngs_1_1.parquet",
    ]
    sent = world.read("people").select("internal_customer_id", "series").rows()
    assert sent == [("ann", "plain"), ("bob", "plain"), ("bob", "chngs"), ("eve", "plain")]
    assert world.verify().ok


def test_d6_a_window_with_nothing_new_writes_nothing(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0)
    before, manifests = world.names(), world.manifests()

    assert world.run(1) == ()

    assert (world.names(), world.manifests()) == (before, manifests)
    assert {s.position.at for s in world.ledger.registry.states(["people"]) if s.position} == {
        window(1).end
    }


def test_d6_a_delivered_window_run_again_sends_nothing(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0)
    before = world.names()

    assert world.run(0) == ()
    assert world.names() == before


def test_d6_a_change_back_and_forth_within_a_window_is_no_change(world: World) -> None:
    world.sync()
    ann = person("ann")
    world.commit("people", ann, at=during(0))
    world.run(0)
    world.commit("people", {**ann, "email": "other@acme.example"}, at=during(1, 2))
    world.commit("people", ann, at=during(1, 4))
    assert world.run(1, "people")[0].rows == 0
    assert len(world.names()) == 1


def test_d6_windows_out_of_order_are_exact_or_covered(world: World) -> None:
    world.sync()
    for number in range(4):
        world.commit(
            "events", {"event_id": f"e{number}", "processed_at": during(number)}, at=during(number)
        )
    for number in (0, 2, 1, 3, 0):
        world.run(number)
    assert world.read("events")["event_id"].to_list() == ["e0", "e1", "e2", "e3"]
    assert world.names() == [f"events_v5_1_{n}.parquet" for n in (1, 2, 3)]
    assert world.verify().ok


def test_d6_after_an_outage_one_window_sends_all_that_is_outstanding(world: World) -> None:
    world.sync()
    world.run(0)
    for number in range(1, 6):
        world.commit(
            "events", {"event_id": f"e{number}", "processed_at": during(number)}, at=during(number)
        )
    world.run(5)
    assert world.read("events").height == 5
    assert all(not world.run(number) for number in range(1, 5))


def test_d6_a_late_commit_with_an_older_time_belongs_to_the_next_window(world: World) -> None:
    world.sync()
    world.run(0)
    world.commit("events", {"event_id": "a", "processed_at": during(1)}, at=during(2))
    world.commit("events", {"event_id": "late", "processed_at": during(1)}, at=during(1))
    world.run(1)
    assert world.names() == []
    world.run(2)
    assert sorted(world.read("events")["event_id"]) == ["a", "late"]


def test_d6_a_paused_export_catches_up_with_one_changeset(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.run(0)
    switch_exports(world.ledger.registry, "a", ["people"], during(1, 0), on=False)
    world.commit("people", person("bob", 3, 1), at=during(1))
    world.run(1)
    assert world.names() == ["people_v5_1_1.parquet"]

    switch_exports(world.ledger.registry, "a", ["people"], during(3, 0), on=True)
    world.commit("people", person("ann", 1, 3), at=during(3))
    (outcome,) = world.run(3, "people")

    assert (outcome.mode, outcome.rows) == ("catch-up", 2)
    assert world.verify().ok


def test_d6_a_window_that_is_still_open_is_refused(world: World) -> None:
    world.now = during(0)
    with pytest.raises(InvalidConfig, match="still open"):
        decide_cut(world.services, window(0).end)


def test_d6_windows_before_a_sync_was_created_are_no_work(world: World) -> None:
    world.commit("people", person("ann"), at=NOON)
    world.sync()
    assert world.run(-1) == ()
    assert world.names() == []


def test_d1_one_pass_serves_all_workspaces_and_only_their_own_rows(world: World) -> None:
    for sync_id, workspace in (("a", 1), ("b", 2), ("c", 3)):
        world.sync(sync_id, workspace)
    rows = [{**person(f"p{w}"), "workspace_id": w} for w in (1, 2, 4)]
    world.commit("people", *rows, at=during(0))
    world.run(0, "people")
    assert world.read("people", "a")["workspace_id"].to_list() == [1]
    assert world.read("people", "b")["workspace_id"].to_list() == [2]
    assert world.names("c") == []


def test_two_syncs_of_one_workspace_get_the_same_bytes(world: World) -> None:
    world.sync("a")
    world.sync("b")
    world.commit("people", person("ann"), at=during(0))
    world.run(0)
    assert world.names("a") == world.names("b") == ["people_v5_1_1.parquet"]
    one, other = (world.folder(s) / "people_v5_1_1.parquet" for s in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_d5_initial_metrics_have_two_sequences_and_later_ones_one(world: World) -> None:
    world.sync()
    world.commit("metrics", {"event_id": "m1"}, at=during(0))
    world.run(0)
    world.commit("metrics", {"event_id": "m2"}, at=during(1))
    world.run(1)
    assert world.names() == ["metrics_v5_1_1_1.parquet", "metrics_v5_1_2.parquet"]
    assert world.verify().ok


def test_d1_a_v4_sync_gets_the_seven_exports_of_v4(world: World) -> None:
    world.sync(version=4)
    for table in ("people", "events", "campaigns", "subjects"):
        world.commit(table, {}, at=during(0))
    world.run(0)
    assert world.names() == ["people_v4_1_1.parquet", "subjects_v4_1_1.parquet"]


def test_o5_an_hourly_sync_is_served_on_the_hour(world: World) -> None:
    world.sync(cadence="1h")
    world.commit("people", person("ann"), at=during(0))
    for number in range(3):
        assert world.run(number) == ()
    world.run(3)
    assert world.names() == ["people_v5_1_1.parquet"]

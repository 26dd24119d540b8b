"""What fails for one sync, one row or one table, and what stays whole."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from cio_pipeline.model.errors import DestinationUnavailable
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.checking.delivery import delivery_of
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline.ports import Destination
from cio_pipeline_tests.world import World, during, window


class Unreachable:
    """A destination that never answers."""

    def __getattr__(self, name: str) -> object:
        raise DestinationUnavailable("The store did not answer.", "Try again later.")


def committed(at: datetime) -> CommitProperties:
    return CommitProperties(custom_metadata={"cio.committed_at": at.isoformat()})


def failing(world: World, *sync_ids: str) -> Callable[[Sync], Destination]:
    def opened(sync: Sync) -> Destination:
        if sync.id in sync_ids:
            return Unreachable()  # type: ignore[return-value]
        return world.services.destinations(sync)

    return opened


def test_o8_a_failing_sync_keeps_its_position_and_the_others_go_on(world: World) -> None:
    world.sync("a")
    world.sync("b", 2)
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.commit("people", {"internal_customer_id": "x", "workspace_id": 2}, at=during(0))
    broken = world.as_run("run 1", destinations=failing(world, "a"))

    outcomes = {o.sync_id: o for o in world.run(0, "people", services=broken)}

    assert outcomes["b"].error is None
    assert str(outcomes["a"].error) == (
        "DestinationUnavailable: The store did not answer. Try again later."
    )
    assert (world.names("a"), world.names("b")) == ([], ["people_v5_2_1.parquet"])
    report = delivery_of(world.ledger, "people", window(0))
    assert not report.passed
    assert report.delivered == ("b",)
    assert [failed[0] for failed in report.failed] == ["a"]


def test_o8_the_next_good_window_sends_what_is_outstanding_once(world: World) -> None:
    world.sync("a")
    world.commit("events", {"event_id": "e0", "processed_at": during(0)}, at=during(0))
    broken = world.as_run("run 1", destinations=failing(world, "a"))
    world.run(0, services=broken)
    world.commit("events", {"event_id": "e1", "processed_at": during(1)}, at=during(1))
    world.run(1, services=broken)

    world.run(2)

    assert world.read("events")["event_id"].to_list() == ["e0", "e1"]
    assert world.verify().ok
    assert not world.ledger.failing.of_window(window(0).end)


def test_a_foreign_object_under_a_planned_key_is_a_conflict_and_stays(world: World) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    foreign = world.folder() / "people_v5_1_1.parquet"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"mine")

    (outcome,) = world.run(0, "people")

    assert outcome.error is not None
    assert str(outcome.error).startswith("ObjectConflict")
    assert foreign.read_bytes() == b"mine"
    foreign.unlink()
    close_breaker(world.ledger, "a")
    world.run(1, "people")
    assert world.read("people").height == 1
    assert world.verify().ok


def test_o1_a_row_that_breaks_the_contract_is_held_back_and_the_others_go_on(
    world: World,
) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    good = {"event_id": "good", "processed_at": during(0)}
    bad = {"event_id": "bad", "processed_at": during(0), "properties": "{broken"}
    world.commit("events", good, bad, at=during(0))

    (outcome,) = world.run(0, "events")

    assert (outcome.rows, outcome.quarantined) == (1, 1)
    (entry,) = world.ledger.quarantine.entries()
    assert (entry.identity, entry.reason) == ('["bad"]', "data is no valid JSON")
    assert retry_quarantine(world.services)[0].rows == 0
    assert len(world.ledger.quarantine.entries()) == 1


def test_o1_a_mended_row_is_sent_by_the_next_window_and_leaves_quarantine(world: World) -> None:
    world.sync()
    attribute = {"attribute_name": "plan", "internal_customer_id": "x"}
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.commit("attributes", {**attribute, "attribute_value": "gold"}, at=during(0))
    world.run(0)
    assert len(world.ledger.quarantine.entries()) == 1

    world.commit(
        "attributes",
        {**attribute, "attribute_value": '"gold"', "timestamp": during(1)},
        at=during(1),
    )
    world.run(1)

    assert world.read("attributes")["attribute_value"].to_list() == ["gold"]
    assert world.ledger.quarantine.entries() == []
    assert retry_quarantine(world.services) == ()
    (entry,) = world.ledger.quarantine.entries(state=None)
    assert entry.state == "superseded"


def test_o1_a_row_mended_in_place_in_an_append_only_table_is_sent_by_a_retry(
    world: World,
) -> None:
    world.sync()
    world.commit(
        "events", {"event_id": "e", "type": "odd", "processed_at": during(0)}, at=during(0)
    )
    world.run(0)
    DeltaTable(f"{world.source_uri}/events").update(
        {"type": "'page'"}, commit_properties=committed(during(1))
    )
    world.run(1)
    assert world.names() == []

    (outcome,) = retry_quarantine(world.services)

    assert (outcome.rows, outcome.error) == (1, None)
    assert world.read("events")["type"].to_list() == ["page"]
    assert world.ledger.quarantine.entries() == []
    assert retry_quarantine(world.services) == ()


def test_two_runs_of_a_window_one_delivers_the_other_names_the_holder(world: World) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.now = window(0).end
    first = plan_export(world.services, "people", window(0), Scope())

    second = plan_export(world.as_run("run 2"), "people", window(0), Scope())

    assert second.plans == ()
    assert [(h.sync_id, h.owner) for h in second.busy] == [("a", "run 1")]
    world.ledger.leases.release(second.lease)
    world.ledger.leases.release(first.lease)


def test_a_run_that_lost_its_lease_commits_nothing(world: World) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.now = window(0).end
    zombie = plan_export(world.services, "people", window(0), Scope())
    world.now += 2 * TTL
    heir = world.as_run("run 2")
    world.run(0, "people", services=heir)
    assert world.names() == ["people_v5_1_1.parquet"]

    (outcome,) = deliver_export(world.services, zombie)

    assert str(outcome.error).startswith("LeaseLost")

    assert world.names() == ["people_v5_1_1.parquet"]
    assert world.verify().ok


def test_a_mistyped_source_column_stops_its_export_alone_and_names_it(world: World) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    folder = Path(world.source_uri) / "events"
    shutil.rmtree(folder)
    write_deltalake(
        folder,
        pl.DataFrame({"workspace_id": ["one"], "event_id": ["e"]}),
        configuration={"delta.enableChangeDataFeed": "true"},
        commit_properties=committed(during(0)),
    )
    (outcome,) = world.run(0, "events")
    world.run(0, "people")

    assert str(outcome.error).startswith("ColumnMismatch")
    assert "events" in str(outcome.error)
    assert world.names() == ["people_v5_1_1.parquet"]

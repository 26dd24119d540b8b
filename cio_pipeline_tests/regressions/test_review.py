"""Found by reviewing the whole with hostile eyes; each test is one finding."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import SourceGone, VersionGone
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.switches import switch_exports
from cio_pipeline.pipeline.planning.preview import preview
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.sources.tables import commit_metadata, create_tables
from cio_pipeline_tests.crashes import Crash, NotedSpool, watched
from cio_pipeline_tests.pipeline.test_failures import failing
from cio_pipeline_tests.world import World, during, window


class Forgetful:
    """A source in which changes from an old version on can no longer be told."""

    def __init__(self, inner: Any, version: int) -> None:
        self._inner, self._version = inner, version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def changes(self, table: Any, lower: Any, upper: Any) -> Any:
        if lower.version <= self._version:
            raise VersionGone("That version is gone.", "Register a new sync.")
        return self._inner.changes(table, lower, upper)


def event(key: str, number: int = 0, /, **fields: Any) -> dict[str, Any]:
    return {"event_id": key, "processed_at": during(number), **fields}


def test_o8_a_sync_whose_old_version_is_gone_stops_nobody_else(world: World) -> None:
    world.sync("a")
    world.sync("b")
    world.run(0, "events")
    switch_exports(world.ledger.registry, "a", ["events"], during(1), on=False)
    world.commit("events", event("one", 1), at=during(1))
    world.run(1, "events")
    switch_exports(world.ledger.registry, "a", ["events"], during(2), on=True)
    world.commit("events", event("two", 2), at=during(2))
    forgetful = replace(world.services, source=Forgetful(world.services.source, 0))

    outcomes = {one.sync_id: one for one in world.run(2, "events", services=forgetful)}

    assert str(outcomes["a"].error).startswith("VersionGone: That version is gone.")
    assert world.read("events", "b")["event_id"].to_list() == ["one", "two"]
    assert ("a", "events") in world.ledger.failing.of_window(window(2).end)


def test_o8_a_plan_that_cannot_be_encoded_alike_stops_nobody_else(world: World) -> None:
    """A sealed plan whose source rows changed under it: DigestMismatch for it alone."""
    world.sync("a")
    world.sync("b", 2)
    world.commit("events", event("e"), event("f", workspace_id=2), at=during(0))
    broken = world.as_run("run 1", destinations=failing(world, "a"))
    world.run(0, "events", services=broken)
    for folder in world.services.spool.folders():
        world.services.spool.discard(folder)
    changed = replace(world.services, source=Other(world.services.source))
    world.commit("events", event("g", 1, workspace_id=2), at=during(1))

    outcomes = {one.sync_id: one for one in world.run(1, "events", services=changed)}

    assert str(outcomes["a"].error).startswith("DigestMismatch")
    assert world.read("events", "b")["event_id"].to_list() == ["f", "g"]


def test_d6_no_two_runs_encode_into_the_same_folder_of_the_spool(world: World) -> None:
    """What was delivered to the spool's own disk is another name of a file that lies there."""
    world.sync("a")
    world.commit("events", event("e"), at=during(0))
    spools = [NotedSpool(world.services.spool.root) for _ in range(2)]
    first = replace(world.services, spool=spools[0])
    with pytest.raises(Crash):
        world.run(0, "events", services=watched(first, _DiesBeforeSealing(), "run 1"))
    world.now += TTL

    world.run(0, "events", services=replace(world.as_run("run 2"), spool=spools[1]))

    assert world.read("events", "a")["event_id"].to_list() == ["e"]
    assert all(spool.made for spool in spools)
    assert not spools[0].made & spools[1].made


class _DiesBeforeSealing:
    """An observer of effects that lets none happen from the sealing on."""

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if name == "plans.seal":
            raise Crash(name)
        return effect()


class Other:
    """A source whose snapshots have come out otherwise than when they were sealed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def snapshot(self, table: Any, *args: Any, **asked: Any) -> Any:
        rows = self._inner.snapshot(table, *args, **asked)
        return rows.with_columns(pl.lit("other").alias("name")) if table.name == "events" else rows


def test_d6_repeated_identities_are_encoded_alike_each_time(world: World) -> None:
    """An at-least-once loader sends an event again with another time: same bytes, each time."""
    world.sync("a")
    world.run(0, "events")
    rows = [event(f"e{n}", 1, name=f"copy {m}") for n in range(50) for m in range(3)]
    world.commit("events", *rows, at=during(1))
    broken = world.as_run("run 1", destinations=failing(world, "a"))
    world.run(1, "events", services=broken)
    shutil.rmtree(world.services.spool.root)  # type: ignore[attr-defined]

    (resumed,) = world.run(2, "events")

    assert resumed.error is None
    assert world.read("events")["event_id"].n_unique() == world.read("events").height == 50


def test_d4_a_table_that_comes_later_is_sent_as_history(world: World) -> None:
    """Gone people stay anonymous, and events older than 30 days stay out."""
    metrics = world.root / "source" / "metrics"
    aside = world.root / "aside"
    metrics.rename(aside)
    world.sync("a")
    world.commit("people", {"internal_customer_id": "gone", "deleted": True}, at=during(0))
    world.run(0)
    aside.rename(metrics)
    world.commit(
        "metrics",
        {"event_id": "m", "internal_customer_id": "gone", "user_agent": "personal"},
        at=during(1),
    )
    world.run(1, "metrics", lane=Lane.TICK)
    assert world.names() == ["metrics_v5_1_1_1.parquet"]
    assert world.read("metrics")["user_agent"].to_list() == [None]


def test_o1_a_retry_sends_each_sync_what_it_holds_back(world: World) -> None:
    world.sync("a")
    world.commit("events", event("x", type="odd"), event("y", type="odd"), at=during(0))
    world.run(0, "events")
    table = DeltaTable(f"{world.source_uri}/events")
    at = CommitProperties(custom_metadata={"cio.committed_at": during(1).isoformat()})
    table.update({"type": "'page'"}, predicate="event_id = 'y'", commit_properties=at)
    world.run(1, "events")
    world.sync("b")
    world.run(2, "events")
    assert world.read("events", "b")["event_id"].to_list() == ["y"]
    table = DeltaTable(f"{world.source_uri}/events")
    at = CommitProperties(custom_metadata={"cio.committed_at": during(3).isoformat()})
    table.update({"type": "'page'"}, predicate="event_id = 'x'", commit_properties=at)
    world.run(3, "events")

    retry_quarantine(world.services)

    assert sorted(world.read("events", "a")["event_id"]) == ["x", "y"]
    assert sorted(world.read("events", "b")["event_id"]) == ["x", "y"]


def test_a_replaced_table_stops_its_own_export_alone_and_new_syncs_not_at_all(
    world: World,
) -> None:
    world.sync("a")
    world.commit("inbound", {"event_id": "i", "processed_at": during(0)}, at=during(0))
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.run(0)
    shutil.rmtree(Path(world.source_uri) / "inbound")
    create_tables(world.source_uri, [SOURCE_TABLES["inbound"]])
    world.commit("people", {"internal_customer_id": "y"}, at=during(1))

    outcomes = {(one.sync_id, one.export): one for one in world.run(1)}

    assert "was replaced" in str(outcomes["a", "inbound"].error)
    assert world.read("people").height == 2
    world.sync("b")
    world.run(2)
    assert world.read("people", "b").height == 2


def test_d6_a_table_that_is_back_is_sent_by_the_window_that_was_cut_without_it(
    world: World,
) -> None:
    world.sync("a")
    world.commit("inbound", {"event_id": "i", "processed_at": during(0)}, at=during(0))
    world.run(0, "inbound")
    folder = Path(world.source_uri) / "inbound"
    away = folder.rename(world.root / "away")
    world.run(1, "people")
    away.rename(folder)
    world.commit("inbound", {"event_id": "j", "processed_at": during(1)}, at=during(1))

    (outcome,) = world.run(1, "inbound")

    assert outcome.error is None
    assert sorted(world.read("inbound")["event_id"]) == ["i", "j"]


def test_d4_while_the_people_are_away_nothing_about_them_is_sent(world: World) -> None:
    """A joined table that was there is waited for: without it, nobody is known to be gone."""
    world.commit("people", {"internal_customer_id": "kept"}, at=during(0))
    row = {"recipient": "+1", "internal_customer_id": "removed"}
    world.commit("delivery_content", {"delivery_id": "d", **row}, at=during(0))
    world.sync("a")
    world.run(0, "people")
    folder = Path(world.source_uri) / "people"
    away = folder.rename(world.root / "away")

    with pytest.raises(SourceGone, match="people"):
        world.run(1, "delivery_content")

    away.rename(folder)
    world.run(1, "delivery_content")
    assert world.read("delivery_content")["recipient"].to_list() == [""]


def test_a_joined_table_that_was_made_again_holds_up_earlier_windows_alone(world: World) -> None:
    world.sync("a")
    world.commit("people", {"internal_customer_id": "p"}, at=during(0))
    world.commit("delivery_content", {"delivery_id": "d"}, at=during(0))
    world.run(0, "delivery_content")
    folder = Path(world.source_uri) / "people"
    rows = DeltaTable(folder).to_pyarrow_table()
    shutil.rmtree(folder)
    feed = {"delta.enableChangeDataFeed": "true"}
    told = CommitProperties(commit_metadata(during(2)))
    write_deltalake(folder, rows, configuration=feed, commit_properties=told)
    world.commit("delivery_content", {"delivery_id": "e"}, at=during(1))

    with pytest.raises(SourceGone, match=r"people was made again after .* ends later sends all"):
        world.run(1, "delivery_content")

    world.run(2, "delivery_content")
    assert sorted(world.read("delivery_content")["delivery_id"]) == ["d", "e"]


def test_d4_people_removed_from_the_source_leave_no_personal_data(world: World) -> None:
    world.commit("people", {"internal_customer_id": "kept"}, at=during(0))
    row = {"recipient": "+1", "internal_customer_id": "removed"}
    world.commit("delivery_content", {"delivery_id": "d", **row}, at=during(0))
    world.sync("a")
    world.run(0, "delivery_content")
    assert world.read("delivery_content")["recipient"].to_list() == [""]


def test_plan_tells_all_that_a_run_sends(world: World) -> None:
    """With an open plan a run finishes it and goes on: the preview shows both steps."""
    world.sync("a")
    world.commit("events", event("e"), at=during(0))
    world.run(0, "events", services=world.as_run("run 1", destinations=failing(world, "a")))
    world.commit("events", event("f", 1), event("g", 1), at=during(1))
    world.now = window(1).end
    shown = [
        (one.decision, one.rows)
        for one in preview(world.services, window(1), Scope(), count=True)
        if one.export == "events"
    ]
    assert shown == [("Resume", 1), ("Changes", 2)]
    assert sum(one.rows for one in world.run(1, "events")) == 3


def test_d7_after_one_catch_up_late_rows_are_no_longer_cut_off(world: World) -> None:
    world.sync("a")
    world.run(0, "events")
    switch_exports(world.ledger.registry, "a", ["events"], during(1), on=False)
    switch_exports(world.ledger.registry, "a", ["events"], during(3), on=True)
    world.commit("events", event("e", 1), at=during(1))
    assert world.run(2, "events") == ()
    (outcome,) = world.run(3, "events")
    assert outcome.mode == "catch-up"
    world.commit("events", event("f", 4), at=during(4))
    (outcome,) = world.run(4, "events")
    assert outcome.mode == "changes"

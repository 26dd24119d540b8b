"""A changeset is read once, and what in it breaks the source contract is told."""

from dataclasses import replace
from typing import Any

import pytest
from deltalake import CommitProperties, DeltaTable

from cio_pipeline.model.breaches import BreachKind
from cio_pipeline.pipeline.planning import cohorts
from cio_pipeline_tests.pipeline.sliced import in_slices
from cio_pipeline_tests.world import World, during, window


class Counting:
    """A source that counts how often changes are asked for."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.count = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def changes(self, *args: Any) -> Any:
        self.count += 1
        return self._inner.changes(*args)


def test_one_read_serves_syncs_of_other_versions_and_units_alike(world: World) -> None:
    world.sync("a")
    world.sync("b", version=4)
    world.sync("c", timestamp_unit="ms")
    world.run(0, "people")
    world.commit("people", {"internal_customer_id": "x"}, at=during(1))
    source = Counting(world.services.source)

    world.run(1, "people", services=replace(world.services, source=source))

    assert source.count == 1
    assert [world.read("people", s).height for s in "abc"] == [1, 1, 1]
    assert not any(world.services.spool.root.glob("*changes-*"))


def test_o1_breaches_of_the_source_contract_are_counted_and_told(world: World) -> None:
    world.sync("a")
    rows = [{"event_id": name, "processed_at": during(0)} for name in "ab"]
    world.commit("events", *rows, at=during(0))
    world.commit("subjects", {"subject_name": "s", "seq_num": 5}, at=during(0))
    world.commit("outputs", {"output_id": "o"}, at=during(0))
    world.run(0)
    at = CommitProperties(custom_metadata={"cio.committed_at": during(1).isoformat()})
    table = DeltaTable(f"{world.source_uri}/events")
    table.update({"name": "'other'"}, predicate="event_id = 'a'", commit_properties=at)
    table.delete("event_id = 'b'", commit_properties=at)
    DeltaTable(f"{world.source_uri}/outputs").delete(commit_properties=at)
    world.commit("subjects", {"subject_name": "s", "campaign_id": 9, "seq_num": 5}, at=during(1))
    told: list[str] = []

    world.run(1, services=replace(world.services, notice=told.append))

    assert sorted(told) == [
        "events: 1 rows of an append-only table changed; they are not sent.",
        "events: 1 rows were deleted; readers cannot be told of it.",
        "outputs: 1 rows were deleted; readers cannot be told of it.",
        (
            "subjects: 1 rows changed but their time or number did not grow; they are sent, but "
            "readers may keep the older state."
        ),
    ]
    found = {(one.last.table, one.last.kind): one for one in world.ledger.breaches.all()}
    assert {key: one.rows for key, one in found.items()} == {
        ("events", BreachKind.CHANGED): 1,
        ("events", BreachKind.DELETED): 1,
        ("outputs", BreachKind.DELETED): 1,
        ("subjects", BreachKind.WENT_BACK): 1,
    }
    assert {one.last_at for one in found.values()} == {window(1).end}


def metrics(world: World, number: int, workspace: int, rows: int) -> None:
    """Metrics of a workspace that came in a window."""
    some = [{"event_id": f"{number}-{n}", "workspace_id": workspace} for n in range(rows)]
    world.commit("metrics", *some, at=during(number))


def test_d6_what_one_range_shared_out_outlasts_that_of_another(world: World) -> None:
    """Versions are read in turn: a range comes again after those of other positions."""
    world.sync("behind", 1, version=4)
    world.sync("ahead", 2, version=4)
    world.sync("behind5", 3)
    world.run(0, "metrics")
    for workspace in (1, 2, 3):
        metrics(world, 1, workspace, 12)
    world.run(1, "metrics", sync_ids=["ahead"])
    for workspace, rows in ((1, 12), (2, 60), (3, 12)):
        metrics(world, 2, workspace, rows)
    outcomes = world.run(2, "metrics", services=in_slices(world, 4))
    assert [one.error for one in outcomes] == [None] * 3
    found = {one: world.read("metrics", one).height for one in ("behind", "ahead", "behind5")}
    assert found == {"behind": 24, "ahead": 72, "behind5": 24}


def test_d6_what_is_left_of_cohorts_may_be_read_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two syncs of a workspace that began apart are not sent at a time; small ones fill up."""
    monkeypatch.setattr(cohorts, "changed_rows_at_once", lambda _: 50)
    for sync_id, workspace in (("a", 1), ("b", 2), ("c", 3)):
        world.sync(sync_id, workspace)
    world.run(0, "metrics")
    world.sync("late", 1)
    world.run(1, "metrics")
    for workspace, rows in ((1, 20), (2, 30), (3, 30)):
        metrics(world, 2, workspace, rows)
    outcomes = world.run(2, "metrics", services=in_slices(world, 50))
    assert [one.error for one in outcomes] == [None] * 4
    found = {one: world.read("metrics", one).height for one in ("a", "late", "b", "c")}
    assert found == {"a": 20, "late": 20, "b": 30, "c": 30}

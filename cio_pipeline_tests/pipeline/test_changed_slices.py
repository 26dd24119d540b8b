"""Changes slice by slice: the rows of one piece, in files that are numbered on."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable

from cio_pipeline.changesets.netting import net
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import TableKind
from cio_pipeline.contracts.feeds import changed_rows_at_once
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.delivering import read_once
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.planning.cohorts import cohorts_of
from cio_pipeline.pipeline.planning.preview import preview
from cio_pipeline.sources import change_feed
from cio_pipeline_tests.ledger import build
from cio_pipeline_tests.pipeline.sliced import Broken, digests, fill, in_slices, parts, state
from cio_pipeline_tests.pipeline.test_slices import row
from cio_pipeline_tests.world import World, during, window

ROWS = 24


def source_rows(table: str, numbers: Iterable[int], at: int) -> list[dict[str, Any]]:
    """Rows of any source table, as they are in a window."""
    known = {column.name for column in SOURCE_TABLES[table].columns}
    grows = SOURCE_TABLES[table].grows
    found = []
    for number in numbers:
        fields = {key: value for key, value in row(number).items() if key in known}
        if grows is not None:
            is_time = grows in {"updated_at", "timestamp"}
            fields[grows] = during(at) if is_time else at + 1
        found.append(fields)
    return found


def changed(world: World, export: str) -> None:
    """Window 0 has half of the rows; window 1 changes some, deletes some, and adds the rest."""
    table = EXPORTS[export].source
    for name in (table, *(one for one in EXPORTS[export].joins if one != table)):
        world.commit(name, *source_rows(name, range(ROWS // 2), 0), at=during(0))
    world.run(0, export)
    first = ROWS // 2 if SOURCE_TABLES[table].kind is TableKind.APPEND_ONLY else ROWS // 3
    for start in (first, first + 3):
        world.commit(table, *source_rows(table, range(start, ROWS), 1), at=during(1))
    at = CommitProperties(custom_metadata={"cio.committed_at": during(1, 9).isoformat()})
    identity = SOURCE_TABLES[table].identity[1]
    wanted = row(1)[identity]
    literal = f"'{wanted}'" if isinstance(wanted, str) else str(wanted)
    DeltaTable(f"{world.source_uri}/{table}").delete(
        f"{identity} = {literal}", commit_properties=at
    )


@pytest.mark.parametrize("export", EXPORTS)
def test_d1_the_slices_of_changes_are_what_they_are_in_one(tmp_path: Path, export: str) -> None:
    world = World(tmp_path)
    world.sync("one")
    world.sync("many")
    changed(world, export)
    before = len(world.names("many"))
    world.run(1, export, sync_ids=["one"])
    (outcome,) = world.run(1, export, sync_ids=["many"], services=in_slices(world, 4))
    one, many = (world.read(export, sync_id) for sync_id in ("one", "many"))
    assert outcome.error is None
    assert sorted(map(str, many.rows())) == sorted(map(str, one.rows()))
    assert len(world.names("many")) > before + 2
    assert world.verify("many").ok
    assert state(world, export, "many").position == state(world, export, "one").position


def test_a_small_window_is_one_slice_and_its_files_are_the_same(world: World) -> None:
    world.sync("a")
    world.sync("b")
    world.run(0, "metrics")
    fill(world, 1, number=1)
    world.run(1, "metrics", sync_ids=["a"])
    world.run(1, "metrics", sync_ids=["b"], services=in_slices(world, 12))
    assert digests(world, "a") == digests(world, "b")
    assert parts(world) == [(1, None)]


def test_d6_only_who_has_many_changes_gets_slices_and_each_file_has_its_number(
    world: World,
) -> None:
    for sync_id, workspace in (("a", 1), ("b", 2), ("c", 3)):
        world.sync(sync_id, workspace)
    world.run(0, "metrics")
    fill(world, 1, number=1)
    fill(world, 2, number=1)
    world.commit("metrics", {"event_id": "few", "workspace_id": 3}, at=during(1))
    told: list[tuple[str, int, int]] = []
    services = in_slices(world, 4, progress=lambda *one: told.append(one))
    outcomes = {one.sync_id: one for one in world.run(1, "metrics", services=services)}
    assert {sync_id: one.rows for sync_id, one in outcomes.items()} == {"a": 12, "b": 12, "c": 1}
    assert parts(world, "a") == parts(world, "b") == [(1, None), (2, None), (3, None)]
    assert parts(world, "c") == [(1, None)]
    assert ("metrics: slices", 3, 3) in told
    assert all(world.verify(sync_id).ok for sync_id in "abc")


def test_d6_changes_that_stopped_go_on_at_their_slice_whatever_the_size_of_new_ones(
    world: World,
) -> None:
    world.sync("a")
    world.sync("whole")
    world.run(0, "metrics")
    fill(world, 1, number=1)
    world.run(1, "metrics", sync_ids=["whole"], services=in_slices(world, 4))
    bucket = Broken(world.services.destinations(world.ledger.registry.get("a").sync), 1)
    stopped = in_slices(world, 4, destinations=lambda _: bucket)
    (outcome,) = world.run(1, "metrics", sync_ids=["a"], services=stopped)
    assert outcome.error
    plan = state(world).open_plan
    assert plan
    assert (plan.mode, plan.slice, plan.slices, plan.slice_rows) == (Mode.CHANGES, 1, 3, 4)
    assert state(world).position == plan.lower
    world.now = window(1).end
    previews = preview(world.services, window(1), Scope(["a"]), count=True)
    told = next(one for one in previews if one.export == "metrics")
    assert (told.decision, told.rows) == ("Resume", 12 - plan.sent.rows)

    world.commit("metrics", {"event_id": "later"}, at=during(2))
    world.now += 2 * TTL
    world.run(2, "metrics", services=in_slices(world, 1000))

    assert digests(world, "a") == digests(world, "whole")
    assert world.read("metrics").height == 13
    assert world.verify().ok


def test_d6_a_plan_that_an_earlier_build_made_is_sent_in_one_slice(world: World) -> None:
    world.sync()
    world.run(0, "metrics")
    fill(world, 1, number=1)
    bucket = Broken(world.services.destinations(world.ledger.registry.get("a").sync), 0)
    world.run(1, "metrics", services=replace(world.services, destinations=lambda _: bucket))
    world.run(2, "metrics", services=in_slices(world, 4))
    assert parts(world) == [(1, None)]
    assert world.verify().ok


def test_d6_small_workspaces_share_a_slice_as_long_as_it_fits_in_memory() -> None:
    most = changed_rows_at_once(EXPORTS["metrics"])
    plans = [draft(workspace, most // 4) for workspace in range(1, 11)]
    cohorts = cohorts_of([*plans, *(replace(one, sync_id="other") for one in plans)])
    found = [sorted(one.workspaces) for one in cohorts]
    assert found == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert [len(one.plans) for one in cohorts] == [8, 8, 4]
    assert len(cohorts_of(replace(one, slice_rows=None) for one in plans)) == 1


def draft(workspace: int, rows: int) -> PlanDraft:
    """Changes of a workspace that were counted."""
    return PlanDraft(
        sync_id=f"w{workspace}",
        workspace_id=workspace,
        export="metrics",
        version=5,
        timestamp_unit="us",
        stem="metrics",
        generation=1,
        mode=Mode.CHANGES,
        lower=build.cut(1),
        upper=build.cut(2),
        floor=None,
        first={},
        rows_per_file=1000,
        fingerprint="f",
        slice_rows=rows,
    )


class Feeding:
    """A source that notes how many rows it holds at a time, and what is read as a whole."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.pieces: list[int] = []
        self.whole = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def feed(self, *args: Any) -> Any:
        for piece in self._inner.feed(*args):
            self.pieces.append(piece.height)
            yield piece

    def changes(self, *args: Any) -> Any:
        self.whole += 1
        return self._inner.changes(*args)


@pytest.mark.parametrize("rows", [500, 2_000])
def test_d6_memory_does_not_grow_with_the_changes_and_each_is_read_once(
    world: World, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Pieces of a commit are half a slice, a slice is netted for itself."""
    most = 100
    monkeypatch.setattr(change_feed, "rows_read_at_once", lambda _: most // 2)
    netted: list[int] = []

    def netting(feed: pl.LazyFrame, *args: Any) -> pl.LazyFrame:
        netted.append(feed.select(pl.len()).collect().item())
        return net(feed, *args)

    monkeypatch.setattr(read_once, "net", netting)
    world.sync()
    world.run(0, "metrics")
    for start in range(0, rows, rows // 2):
        some = [{"event_id": f"e{n}"} for n in range(start, start + rows // 2)]
        world.commit("metrics", *some, at=during(1))
    source = Feeding(world.services.source)
    (outcome,) = world.run(1, "metrics", services=in_slices(world, most, source=source))
    assert (outcome.error, outcome.rows) == (None, rows)
    assert (sum(source.pieces), source.whole) == (rows, 0)
    assert max(source.pieces) <= most // 2
    assert sum(netted) == rows
    assert max(netted) < 1.4 * most, "so even does the hash share out"

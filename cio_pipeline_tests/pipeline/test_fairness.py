"""O8: one huge workspace beside many small ones: these are served first, and in bounded time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cio_pipeline.model.breakers import BreakerState
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.scope import SLICES_A_TURN, Lane
from cio_pipeline.pipeline.delivering import deliver as turns
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import FIRST_WAIT, wanted_runs
from cio_pipeline_tests.monitoring.test_delivery import open_plan
from cio_pipeline_tests.pipeline.sliced import in_slices, state
from cio_pipeline_tests.pipeline.test_schedule import NOON, QUARTER
from cio_pipeline_tests.pipeline.test_schedule import state as made_state
from cio_pipeline_tests.world import World, during

SMALL = {f"small-{number}": number for number in range(2, 8)}
HUGE = 60


class Noted:
    """A destination that tells whose file it took."""

    def __init__(self, inner: Any, sync_id: str, put: list[str]) -> None:
        self._inner, self._id, self._put = inner, sync_id, put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put(self, *arguments: Any, **named: Any) -> None:
        self._put.append(self._id)
        self._inner.put(*arguments, **named)


def noting(world: World, put: list[str]) -> Any:
    opened = world.services.destinations
    return lambda sync: Noted(opened(sync), sync.id, put)


def of_all(huge: int, number: int) -> Sequence[dict[str, Any]]:
    many = [{"event_id": f"{number}-{one}", "workspace_id": 1} for one in range(huge)]
    few = [{"event_id": f"{number}-x", "workspace_id": one} for one in SMALL.values()]
    return [*many, *few]


def register(world: World) -> None:
    """The huge one is of a version that was served first."""
    world.sync("huge", 1, version=4, exports=["metrics"])
    for sync_id, workspace in SMALL.items():
        world.sync(sync_id, workspace, exports=["metrics"])


def require_all(world: World, expected: int) -> None:
    assert len(set(world.read("metrics", "huge")["event_id"])) == expected
    assert world.read("metrics", "huge").height == expected
    for sync_id in ("huge", *SMALL):
        report = world.verify(sync_id)
        assert report.ok, report


def test_o8_a_tick_serves_the_small_ones_first_and_leaves_the_huge_one_to_a_run_of_its_own(
    world: World,
) -> None:
    register(world)
    world.commit("metrics", *of_all(1, 0), at=during(0))
    world.run(0, "metrics")
    world.commit("metrics", *of_all(HUGE, 1), at=during(1))
    put: list[str] = []
    services = in_slices(world, 6, destinations=noting(world, put))

    tick = world.run(1, "metrics", lane=Lane.TICK, services=services)

    assert sorted(put[:-1]) == sorted(SMALL)
    assert put[-1] == "huge"
    assert [one.error for one in tick] == [None] * 7
    assert [len(world.manifests(one)) for one in SMALL] == [2] * 6
    assert state(world, sync_id="huge").open_plan is not None
    assert world.ledger.breakers.all()["huge"].state is BreakerState.SLOW
    assert world.ledger.failing.all() == {}

    # Neither do its next windows hold up anybody, while its own run is under way.
    world.commit("metrics", *of_all(HUGE, 2), at=during(2))
    put.clear()
    world.run(2, "metrics", lane=Lane.TICK, services=services)
    assert sorted(put) == sorted(SMALL)

    world.run(2, "metrics", lane=Lane.SLOW, services=services)
    require_all(world, 1 + 2 * HUGE)


def test_o8_first_files_of_small_ones_come_in_one_piece_before_those_of_a_huge_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SLICES_A_TURN", 3)
    register(world)
    for part in range(12):
        rows = of_all(HUGE, part) if part == 5 else of_all(HUGE, part)[:HUGE]
        world.commit("metrics", *rows, at=during(0, part))
    put: list[str] = []
    services = in_slices(world, 60, destinations=noting(world, put))

    world.run(0, "metrics", lane=Lane.INITIAL, services=services)

    assert sorted(put[:6]) == sorted(SMALL)
    assert put[6:] == ["huge"] * 3
    assert [len(world.names(one)) for one in SMALL] == [1] * 6
    assert all(state(world, sync_id=one).position for one in SMALL)
    plan = state(world, sync_id="huge").open_plan
    assert plan is not None
    assert (plan.slice, plan.slices) == (3, 13)
    for _ in range(4):
        put.clear()
        world.run(0, "metrics", lane=Lane.INITIAL, services=services)
        assert 0 < len(put) <= 3
    require_all(world, 12 * HUGE)


def test_o8_runs_that_ended_with_their_turn_are_followed_at_once() -> None:
    """The waits between attempts are for runs that failed."""
    now, tried = NOON + QUARTER, NOON + QUARTER - FIRST_WAIT
    plan = replace(open_plan("a", "people", Mode.INITIAL), slices=1000, slice_rows=1)
    for slice_, count, wanted in [(0, 9, 0), (8 * SLICES_A_TURN, 9, 1), (SLICES_A_TURN, 9, 0)]:
        going_on = replace(made_state(position=None), open_plan=replace(plan, slice=slice_))
        seen = Seen({}, {(Lane.INITIAL, "a"): (count, tried)}, ())
        assert len(wanted_runs([going_on], seen, now)) == wanted, slice_

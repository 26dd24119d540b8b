"""O8: a sync that others would have to wait for is served in a lane of its own."""

from collections.abc import Callable
from threading import Event

import pytest

from cio_pipeline.model.breakers import BreakerState, Trip
from cio_pipeline.model.errors import Unreachable
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import (
    after,
)
from cio_pipeline.pipeline.delivering import deliver as turns
from cio_pipeline.ports import Destination
from cio_pipeline_tests.pipeline.failing import breaker, people
from cio_pipeline_tests.pipeline.stuck import given_up_when_others_ended
from cio_pipeline_tests.waiting import PATIENCE
from cio_pipeline_tests.world import World, window

SLOW = Outcome("a", "people", 1, None, error=Failure("Slow", "Slow.", trip=Trip.SLOW))


def test_a_slow_sync_is_left_to_the_slow_lane_which_serves_nobody_else(world: World) -> None:
    world.sync("a")
    world.sync("b", 2)
    people(world, 0, "x")
    world.run(0, "people")
    people(world, 1, "y")
    world.ledger.breakers.put([after(None, SLOW, "run 0", world.now)])  # type: ignore[list-item]

    tick = world.run(1, "people", lane=Lane.TICK)
    assert [one.sync_id for one in tick] == ["b"]
    assert (world.manifests("a"), world.manifests("b")) == (
        ["1.manifest"],
        ["1.manifest", "2.manifest"],
    )
    slow = world.run(1, "people", lane=Lane.SLOW)

    assert [(one.sync_id, one.error) for one in slow] == [("a", None)]
    assert world.read("people")["internal_customer_id"].to_list() == ["x", "y"]
    assert world.verify().ok


def test_o8_a_delivery_that_others_would_wait_for_is_left_and_goes_on_in_its_own_lane(
    world: World,
) -> None:
    world.sync("a")
    world.sync("b", 2)
    people(world, 0, "x")
    world.run(0, "people")
    people(world, 1, "y")
    asleep = Event()
    try:
        with pytest.MonkeyPatch.context() as patch:
            given_up_when_others_ended(patch, turns, lambda one: one.plan.sync_id == "a")
            slow = world.as_run("tick", destinations=_asleep(world, asleep))
            tick = {
                one.sync_id: one for one in world.run(1, "people", lane=Lane.TICK, services=slow)
            }
    finally:
        asleep.set()

    assert tick["b"].error is None
    assert str(tick["a"].error).startswith("Slow: ")
    assert breaker(world).state is BreakerState.SLOW
    assert world.ledger.failing.of_window(window(1).end) == {}, "the window is not settled by that"

    world.run(1, "people", lane=Lane.SLOW)

    assert world.read("people")["internal_customer_id"].to_list() == ["x", "y"]
    assert world.verify().ok


def _asleep(world: World, until: Event) -> Callable[[Sync], Destination]:
    class Asleep:
        def __getattr__(self, name: str) -> object:
            until.wait(PATIENCE)
            raise Unreachable("No connection.")

    def opened(sync: Sync) -> Destination:
        return Asleep() if sync.id == "a" else world.services.destinations(sync)  # type: ignore[return-value]

    return opened

"""O8, D8: a destination that fails is left alone for longer each time, or until somebody acts."""

import pytest

from cio_pipeline.model.breakers import BreakerState, Trip
from cio_pipeline.model.errors import (
    CioError,
    DestinationUnavailable,
    DigestMismatch,
    DiskFull,
    NoSuchBucket,
    ObjectConflict,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import after, close_breaker
from cio_pipeline.pipeline.checking.delivery import delivery_of
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination
from cio_pipeline_tests.pipeline import feeds
from cio_pipeline_tests.pipeline.failing import Broken, breaker, people
from cio_pipeline_tests.world import NOON, World, during, window

REFUSED = Outcome(
    "a", "people", 1, None, error=Failure("WrongCredentials", "Wrong key.", trip=Trip.REFUSED)
)


def test_o8_a_dead_destination_costs_a_run_one_call_and_then_none_until_the_delay_is_over(
    world: World,
) -> None:
    world.sync("a", owner="data@acme.example")
    world.sync("b", 2)
    people(world, 0, "x")
    world.commit("events", {"event_id": "e", "processed_at": during(0)}, at=during(0))
    broken = Broken(world, Unreachable("No connection.", "Check the endpoint."))

    calls: list[int] = []
    for number in range(4):
        world.run(number, "people", "events", services=broken.services())
        calls.append(len(broken.calls))

    # Windows 0 and 1 fail, the second opens it for 15 minutes; 2 is the trial, then 30 minutes.
    assert calls == [1, 2, 3, 3]
    assert breaker(world).describe(world.now).startswith("open until 2026-03-01 13:15")
    told = world.ledger.failing.of_window(window(3).end)
    assert set(told) == {("a", "people"), ("a", "events")}
    assert "(owner data@acme.example) is open until 2026-03-01 13:15" in told["a", "people"]
    assert " closes it. No connection. Check the endpoint." in told["a", "events"]
    report = delivery_of(world.ledger, "people", window(3))
    assert [one[0] for one in report.failed] == ["a"]
    assert world.read("people", "b").height == 1

    people(world, 4, "y")
    world.run(4, "people", "events")

    assert world.ledger.breakers.all() == {}
    assert world.read("people")["internal_customer_id"].to_list() == ["x", "y"]
    assert world.read("events").height == 1
    assert world.verify().ok


@pytest.mark.parametrize(
    "error", [WrongCredentials, PermissionMissing, NoSuchBucket, ObjectConflict]
)
def test_d8_a_refusal_stops_the_sync_until_it_is_resumed(
    world: World, error: type[CioError]
) -> None:
    world.sync("a")
    people(world, 0, "x")
    broken = Broken(world, error("It is refused.", "Mend it."))
    for number in range(3):
        world.run(number, "people", services=broken.services())
    assert len(broken.calls) == 1
    (message,) = world.ledger.failing.of_window(window(2).end).values()
    assert "is stopped since 2026-03-01 12:15 UTC." in message
    assert "`cio-pipeline sync resume a`" in message
    world.run(3, "people")
    assert world.names() == []

    assert close_breaker(world.ledger, "a") is not None
    world.run(4, "people")

    assert world.read("people").height == 1
    assert world.ledger.failing.of_window(window(3).end) == {}


@pytest.mark.parametrize("feed", [Feed.CALLS, Feed.MESSAGES])
def test_o8_calls_and_messages_are_held_back_and_made_up_for_likewise(
    world: World, feed: Feed
) -> None:
    world.sync("a", feed=feed)
    world.sync("b", feed=feed)
    broken = Broken(world, Unreachable("No connection.", "Check the endpoint."))
    for number in range(2):
        feeds.commit(world, feed, number)
        feeds.run(world, feed, number, broken.services())
    assert breaker(world).describe(world.now).startswith("open until ")
    asked = len(broken.calls)
    close_breaker(world.ledger, "a")
    broken.error = WrongCredentials("Wrong key.", "Give another one.")
    told: dict[str, Failure | None] = {}
    for number in (2, 3):
        feeds.commit(world, feed, number)
        outcomes = feeds.run(world, feed, number, broken.services())
        told = {one.sync_id: one.error for one in outcomes}
    assert len(broken.calls) == asked + 1
    assert str(told["a"]).startswith("BreakerOpen: Sync 'a' is stopped since ")
    assert told["b"] is None
    assert [path for path in world.folder("a").rglob("*") if path.is_file()] == []

    close_breaker(world.ledger, "a")
    feeds.run(world, feed, 4, world.services)

    assert world.ledger.breakers.all() == {}
    for one in "ab":
        rows = [file.rows for file in world.ledger.manifests.files(one)]
        assert sum(rows) == 4, one
        assert world.verify(one).ok


@pytest.mark.parametrize("error", [DigestMismatch, DiskFull])
def test_what_concerns_no_destination_opens_no_breaker(world: World, error: type[CioError]) -> None:
    world.sync("a")
    people(world, 0, "x")
    broken = Broken(world, error("It went wrong."))
    world.run(0, "people", services=broken.services())
    assert len(broken.calls) == 1
    assert world.ledger.breakers.all() == {}


def test_what_a_store_says_for_the_moment_is_not_a_refusal(world: World) -> None:
    world.sync("a")
    people(world, 0, "x")
    for error in (Throttled("Slow down."), DestinationUnavailable("No answer.")):
        broken = Broken(world, error)
        world.run(0, "people", services=broken.services(type(error).__name__))
        assert breaker(world).state is BreakerState.FAILING


def test_a_sync_without_changes_moves_on_while_its_breaker_is_open(world: World) -> None:
    world.sync("a")
    people(world, 0, "x")
    world.run(0, "people")
    world.ledger.breakers.put([after(None, REFUSED, "run 0", NOON)])  # type: ignore[list-item]

    assert world.run(1, "people") == ()

    (state,) = world.ledger.registry.states(["people"])
    assert state.position is not None
    assert state.position.at == window(1).end


def test_d10_a_manifest_that_cannot_be_put_trips_the_breaker_and_lies_there_once_it_can(
    world: World,
) -> None:
    world.sync("a")
    world.sync("b", 2)
    people(world, 0, "x")
    world.now = window(0).end
    world.run(0, "people", services=_manifests_fail(world))

    assert breaker(world).kind == "Unreachable"
    assert set(world.ledger.failing.of_window(window(0).end)) == {("a", "manifest")}
    assert (world.manifests("a"), world.manifests("b")) == ([], ["1.manifest"])

    world.run(1, "people")

    assert world.manifests("a") == ["1.manifest"]
    assert world.ledger.breakers.all() == {}
    assert world.ledger.failing.of_window(window(0).end) == {}


def _manifests_fail(world: World) -> Services:
    class NoManifests:
        def __init__(self, inner: Destination) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def put_bytes(self, key: str, body: bytes) -> None:
            raise Unreachable(f"{key}: no connection for {len(body)} bytes.")

    def opened(sync: Sync) -> Destination:
        found = world.services.destinations(sync)
        return NoManifests(found) if sync.id == "a" else found  # type: ignore[return-value]

    return world.as_run("run 1", destinations=opened)


def test_a_stopped_initial_export_is_told_by_ticks_though_none_of_them_starts_it(
    world: World,
) -> None:
    world.sync("a")
    world.sync("b", 2)
    people(world, 0, "x")
    broken = Broken(world, NoSuchBucket("No such bucket."))
    world.run(0, "people", lane=Lane.INITIAL, services=broken.services())

    world.run(1, "people", lane=Lane.TICK)

    report = delivery_of(world.ledger, "people", window(1))
    assert [one[0] for one in report.failed] == ["a"]
    close_breaker(world.ledger, "a")
    world.run(2, "people", lane=Lane.INITIAL)
    assert world.read("people").height == 1

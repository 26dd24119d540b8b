"""O8, D8: a destination that fails is left alone for longer each time, or until somebody acts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

import pytest

from cio_pipeline.model.breakers import Breaker, BreakerState, Trip
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
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Feed
from cio_pipeline.monitoring.delivery import delivery_report
from cio_pipeline.pipeline import run_export
from cio_pipeline.pipeline.breaker import (
    FIRST_DELAY,
    LONGEST_DELAY,
    SLOW_FOR,
    Delivered,
    after,
    close_breaker,
    delay_after,
)
from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.pipeline import feeds
from cio_pipeline_tests.world import NOON, World, during, window

FAILED = Delivered("a", Trip.FAILED, "Unreachable", "No answer.")
REFUSED = Delivered("a", Trip.REFUSED, "WrongCredentials", "Wrong key.")
SLOW = Delivered("a", Trip.SLOW, "Slow", "Slow.")
GOOD = Delivered("a", None)


@dataclass
class Broken:
    """Destinations of some syncs raise an error at each call; the calls are counted."""

    world: World
    error: CioError
    sync_ids: tuple[str, ...] = ("a",)
    calls: list[str] = field(default_factory=list)

    def __call__(self, sync: Sync) -> Destination:
        if sync.id not in self.sync_ids:
            return self.world.services.destinations(sync)
        return _Raising(lambda: self.calls.append(sync.id), self.error)  # type: ignore[return-value]

    def services(self, run: str = "run 1") -> Services:
        return self.world.as_run(run, destinations=self)


@dataclass
class _Raising:
    told: Callable[[], None]
    error: CioError

    def __getattr__(self, name: str) -> object:
        self.told()
        raise self.error


def runs(*outcomes: Delivered, apart: timedelta = timedelta(0)) -> Breaker | None:
    """The breaker after a run for each outcome."""
    found: Breaker | None = None
    for number, one in enumerate(outcomes):
        found = after(found, one, f"run {number}", NOON + number * apart)
    return found


def test_one_failed_run_is_bad_luck_and_the_next_ones_open_the_breaker_for_longer():
    delays = [delay_after(failures) for failures in range(1, 9)]
    assert delays[:4] == [timedelta(0), FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delays[-1] == LONGEST_DELAY
    assert delays == sorted(delays)
    opened = runs(FAILED, FAILED, FAILED)
    assert opened is not None
    assert (opened.failures, opened.since, opened.until) == (3, NOON, NOON + 2 * FIRST_DELAY)
    assert opened.open(NOON)
    assert not opened.open(NOON + 2 * FIRST_DELAY)


def test_all_failures_of_a_run_count_once():
    once = after(None, FAILED, "run 1", NOON)
    assert after(once, FAILED, "run 1", NOON) == once


def test_a_good_delivery_closes_and_a_refusal_stops_until_somebody_acts():
    assert runs(FAILED, FAILED, GOOD) is None
    stopped = runs(FAILED, REFUSED)
    assert stopped is not None
    assert (stopped.state, stopped.kind) == (BreakerState.STOPPED, "WrongCredentials")
    assert stopped.open(NOON + timedelta(days=400))
    assert after(stopped, FAILED, "run 9", NOON) == stopped


def test_a_slow_sync_keeps_its_lane_for_a_while_and_one_that_also_fails_counts_as_failing():
    slow = runs(SLOW)
    assert slow is not None
    assert slow.slow(NOON)
    assert not slow.open(NOON)
    assert after(slow, GOOD, "run 2", NOON) == slow
    assert after(slow, GOOD, "run 2", NOON + SLOW_FOR) is None
    failing = runs(FAILED, SLOW, SLOW)
    assert failing is not None
    assert (failing.state, failing.failures) == (BreakerState.FAILING, 3)


def people(world: World, number: int, name: str) -> None:
    for workspace in (1, 2):
        row = {"internal_customer_id": name, "workspace_id": workspace}
        world.commit("people", row, at=during(number))


def breaker(world: World) -> Breaker:
    return world.ledger.breakers.all()["a"]


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
    told = world.ledger.errors.of_window(window(3).end)
    assert set(told) == {("a", "people"), ("a", "events")}
    assert "(owner data@acme.example) is open until 2026-03-01 13:15" in told["a", "people"]
    assert "Unreachable: No connection." in told["a", "events"]
    report = delivery_report("people", window(3), world.ledger.registry.states(["people"]), told)
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
    (message,) = world.ledger.errors.of_window(window(2).end).values()
    assert "is stopped since 2026-03-01 12:15." in message
    assert "`cio-pipeline sync resume a`" in message
    world.run(3, "people")
    assert world.names() == []

    assert close_breaker(world.ledger, "a") is not None
    world.run(4, "people")

    assert world.read("people").height == 1
    assert world.ledger.errors.of_window(window(3).end) == {}


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
    told: dict[str, str | None] = {}
    for number in (2, 3):
        feeds.commit(world, feed, number)
        outcomes = feeds.run(world, feed, number, broken.services())
        told = {one.sync_id: one.error for one in outcomes}
    assert len(broken.calls) == asked + 1
    assert (told["a"] or "").startswith("BreakerOpen: Sync 'a' is stopped since ")
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
    assert set(world.ledger.errors.of_window(window(0).end)) == {("a", "manifest")}
    assert (world.manifests("a"), world.manifests("b")) == ([], ["1.manifest"])

    world.run(1, "people")

    assert world.manifests("a") == ["1.manifest"]
    assert world.ledger.breakers.all() == {}
    assert world.ledger.errors.of_window(window(0).end) == {}


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


def test_a_stopped_initial_export_is_told_by_ticks_though_none_of_them_starts_it(
    world: World,
) -> None:
    world.sync("a")
    world.sync("b", 2)
    people(world, 0, "x")
    broken = Broken(world, NoSuchBucket("No such bucket."))
    world.run(0, "people", lane=Lane.INITIAL, services=broken.services())

    world.run(1, "people", lane=Lane.TICK)

    told = world.ledger.errors.of_window(window(1).end)
    report = delivery_report("people", window(1), world.ledger.registry.states(["people"]), told)
    assert [one[0] for one in report.failed] == ["a"]
    close_breaker(world.ledger, "a")
    world.run(2, "people", lane=Lane.INITIAL)
    assert world.read("people").height == 1


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
            patch.setattr(run_export, "PATIENCE", 0.2)
            slow = world.as_run("tick", destinations=_asleep(world, asleep))
            tick = {
                one.sync_id: one for one in world.run(1, "people", lane=Lane.TICK, services=slow)
            }
    finally:
        asleep.set()

    assert tick["b"].error is None
    assert (tick["a"].error or "").startswith("Slow: ")
    assert breaker(world).state is BreakerState.SLOW
    assert world.ledger.errors.of_window(window(1).end) == {}, "the window is not settled by that"

    world.run(1, "people", lane=Lane.SLOW)

    assert world.read("people")["internal_customer_id"].to_list() == ["x", "y"]
    assert world.verify().ok


def _asleep(world: World, until: Event) -> Callable[[Sync], Destination]:
    class Asleep:
        def __getattr__(self, name: str) -> object:
            until.wait(30)
            raise Unreachable("No connection.")

    def opened(sync: Sync) -> Destination:
        return Asleep() if sync.id == "a" else world.services.destinations(sync)  # type: ignore[return-value]

    return opened

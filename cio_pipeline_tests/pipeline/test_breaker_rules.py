"""O8: what a breaker makes of one delivery after another, pure."""

from datetime import timedelta

from cio_pipeline.model.breakers import Breaker, BreakerState, Trip
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.registry import Outcome
from cio_pipeline.pipeline.breaker import (
    FIRST_DELAY,
    LONGEST_DELAY,
    SLOW_FOR,
    after,
    delay_after,
)
from cio_pipeline_tests.world import NOON

FAILED = Outcome(
    "a", "people", 1, None, error=Failure("Unreachable", "No answer.", trip=Trip.FAILED)
)
REFUSED = Outcome(
    "a", "people", 1, None, error=Failure("WrongCredentials", "Wrong key.", trip=Trip.REFUSED)
)
SLOW = Outcome("a", "people", 1, None, error=Failure("Slow", "Slow.", trip=Trip.SLOW))
GOOD = Outcome("a", "people", 1, None)


def runs(*outcomes: Outcome, apart: timedelta = timedelta(0)) -> Breaker | None:
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

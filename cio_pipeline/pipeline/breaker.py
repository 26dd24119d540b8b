"""The breaker of a sync: when its destination is left alone, and when it is tried again (O8).

Pure decisions first; the functions at the end keep them in the ledger.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.breakers import Breaker, BreakerState, Trip
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.services import Services

OPENS_AT = 2
"""Consecutive failed runs from which on a breaker is open: one may be bad luck."""

FIRST_DELAY = timedelta(minutes=15)
LONGEST_DELAY = timedelta(hours=6)

SLOW_FOR = timedelta(hours=1)
"""How long a slow sync keeps its lane before it is tried with the others again."""


def after(before: Breaker | None, now: Outcome, run: str, at: datetime) -> Breaker | None:
    """The breaker after a delivery; None if the sync is in order.

    All failures of one run count once. A failing sync that makes others wait has failed again.
    """
    stopped = before is not None and before.state is BreakerState.STOPPED
    failing = before is not None and before.state is BreakerState.FAILING
    failures = before.failures + (before.run != run) if before is not None and failing else 1
    match now.trip:
        case None:
            return before if before is not None and before.slow(at) else None
        case Trip.FAILED | Trip.SLOW if stopped:
            return before
        case Trip.SLOW if not failing:
            state, failures, wait = BreakerState.SLOW, 0, SLOW_FOR
        case Trip.REFUSED:
            state, wait = BreakerState.STOPPED, timedelta(0)
        case Trip.FAILED | Trip.SLOW:
            state, wait = BreakerState.FAILING, delay_after(failures)
    since = before.since if before is not None and (stopped or failing) else at
    told = (now.error.kind, now.error.text) if now.error else ("", "")
    return Breaker(now.sync_id, state, failures, since, at + wait, run, *told)


def delay_after(failures: int) -> timedelta:
    """How long a destination is left alone after so many consecutive failed runs."""
    if failures < OPENS_AT:
        return timedelta(0)
    return min(FIRST_DELAY * 2 ** min(failures - OPENS_AT, 10), LONGEST_DELAY)


def why_held_back(breaker: Breaker | None, sync: Sync, run: str, at: datetime) -> str | None:
    """Why a run sends a sync nothing now, naming who owns it (O3); None if it may send."""
    if breaker is None:
        return None
    owner = f" (owner {sync.owner})" if sync.owner else ""
    cause = breaker.message
    resume = f"`cio-pipeline sync resume {sync.id}`"
    if breaker.state is BreakerState.STOPPED:
        since = utc(breaker.since)
        return f"Sync '{sync.id}'{owner} is stopped since {since}. {cause} Then run {resume}."
    if breaker.state is BreakerState.FAILING and breaker.run == run:
        return f"Sync '{sync.id}'{owner} failed earlier in this run. {cause}"
    if breaker.open(at):
        return (
            f"Breaker of sync '{sync.id}'{owner} is open until {utc(breaker.until)} "
            f"after {breaker.failures} failed runs; {resume} closes it. {cause}"
        )
    return None


def close_breaker(ledger: Ledger, sync_id: str) -> Breaker | None:
    """What an operator does once the cause is mended; the breaker there was, if any."""
    breaker = ledger.breakers.all().get(sync_id)
    if breaker is not None:
        ledger.breakers.close([sync_id])
    return breaker


def run_of(owner: str, window: Window) -> str:
    """What a breaker calls a run: an owner's work on one window."""
    return f"{owner}, window {window.key}"


def note(services: Services, window: Window, outcomes: Iterable[Outcome]) -> None:
    """Keep in the ledger what a run's outcomes say of the syncs' destinations."""
    # Else the destination was not asked, or something else went wrong.
    told = [one for one in outcomes if one.trip or (one.error is None and one.files)]
    if not told:
        return
    run, at = run_of(services.owner, window), services.clock()
    known = services.ledger.breakers.all()
    found = {one.sync_id: known.get(one.sync_id) for one in told}
    # Failures last: a run that was refused once has been refused, whatever else it delivered.
    for one in sorted(told, key=lambda one: one.trip is not None):
        found[one.sync_id] = after(found[one.sync_id], one, run, at)
    changed = [one for key, one in found.items() if one is not None and one != known.get(key)]
    closed = [key for key, one in found.items() if one is None and key in known]
    if changed:
        services.ledger.breakers.put(changed)
    if closed:
        services.ledger.breakers.close(closed)

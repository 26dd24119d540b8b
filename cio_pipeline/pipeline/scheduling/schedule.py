"""The sensor's decision, pure: which runs are wanted now, given the ledger and the clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cio_pipeline.model.failures import Failing
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.registry import ExportState, Pair
from cio_pipeline.model.scope import SLICES_A_TURN, Lane
from cio_pipeline.model.shards import Shard
from cio_pipeline.model.windows import FIRST_WINDOW, Window, closed_windows, last_closed_window
from cio_pipeline.pipeline.scheduling.run_request import Request, Seen, tick_key

MAX_TICKS = 8
"""Windows asked for at a time; after a long outage they come in turn."""

MAX_SYNCS = 50
"""Syncs per initial run: a run costs seconds before any work, a run that dies kills few."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=30)


def wanted_runs(
    states: Sequence[ExportState],
    seen: Seen,
    now: datetime,
    feed: Feed = Feed.DATA_OUT,
    among: Sequence[Shard | None] = (None,),
) -> list[Request]:
    """The runs to ask for, given the states of one feed, for each shard by itself.

    Initial ones come first, then unsettled windows, then manifests left behind.
    Initial runs are for new and resumed exports, unless the sync's breaker is open. A window is
    settled once every due pair has moved past it or has an error recorded in it; what is
    outstanding then belongs to the next window. Oldest windows come first. Slow syncs get runs of
    their own for all that.
    """
    found = [one for shard in among for one in _of_shard(states, seen, now, feed, shard)]
    return [one for one in found if one.window.start >= seen.first]


def _of_shard(
    states: Sequence[ExportState], seen: Seen, now: datetime, feed: Feed, shard: Shard | None
) -> list[Request]:
    states = _in_shard(states, shard)
    if shard is not None:
        seen = replace(seen, uncommitted=frozenset(filter(shard.holds, seen.uncommitted)))
    on = [state for state in states if state.on]
    slow = [state for state in on if seen.slow(state.sync.id, now)]
    others = [state for state in on if not seen.slow(state.sync.id, now)]
    fresh = [one for one in others if one.is_fresh and not seen.open(one.sync.id, now)]
    served = [state for state in others if not state.is_fresh]
    exports = [
        *_runs_of_syncs(Lane.INITIAL, fresh, seen, now, feed),
        *_ticks(served, seen, now, feed, shard),
        *_runs_of_syncs(Lane.SLOW, slow, seen, now, feed),
    ]
    if _will_commit(exports, seen, shard):
        return exports
    return [*exports, *_manifest_runs(exports, states, seen, now, feed)]


def _ticks(
    states: Sequence[ExportState], seen: Seen, now: datetime, feed: Feed, shard: Shard | None
) -> list[Request]:
    requests: list[Request] = []
    for window in sorted(_worth_running(states, seen, now, feed, shard)):
        key = tick_key(window, feed, shard)
        attempt = _next_attempt(Lane.TICK, key, seen, now)
        if attempt is not None:
            requests.append(Request(Lane.TICK, window, (key,), attempt, feed, shard))
    return requests[:MAX_TICKS]


def _in_shard(states: Sequence[ExportState], shard: Shard | None) -> Sequence[ExportState]:
    return states if shard is None else [one for one in states if shard.holds(one.sync.id)]


def unsettled_keys(
    states: Sequence[ExportState],
    errors: Mapping[Pair, Failing],
    now: datetime,
    feed: Feed,
    among: Sequence[Shard | None],
) -> set[str]:
    """What attempts of unsettled windows are counted by, shard by shard."""
    return {
        tick_key(window, feed, shard)
        for shard in among
        for window in unsettled_windows(_in_shard(states, shard), errors, now, feed)
    }


def unsettled_windows(
    states: Iterable[ExportState],
    errors: Mapping[Pair, Failing],
    now: datetime,
    feed: Feed = Feed.DATA_OUT,
) -> set[Window]:
    """Closed windows in which some due pair was neither served nor has an error recorded."""
    return {window for group in _unsettled(states, errors, now, feed) for window in group}


def _worth_running(
    states: Iterable[ExportState],
    seen: Seen,
    now: datetime,
    feed: Feed,
    shard: Shard | None,
) -> set[Window]:
    """Unsettled windows that were never tried, and the newest one for another try.

    A window that was tried in vain is carried by the next one that is due: a source that stays
    broken costs one run at a time, however long it lasts.
    """
    tried = {key for lane, key in seen.attempts if lane is Lane.TICK}
    return {
        window
        for group in _unsettled(states, seen.errors, now, feed)
        for window in group
        # What comes before the first one, the next one sends, too.
        if window.start >= seen.first
        and (tick_key(window, feed, shard) not in tried or window == group[-1])
    }


def _unsettled(
    states: Iterable[ExportState],
    errors: Mapping[Pair, Failing],
    now: datetime,
    feed: Feed,
) -> Iterable[list[Window]]:
    """Unsettled windows, in order, of each group of pairs that are due in the same ones."""
    groups: dict[tuple[datetime, Cadence], set[tuple[datetime, datetime]]] = {}
    for state in states:
        stands = state.stands_at
        if stands is not None:
            group = groups.setdefault((stands, state.sync.cadence), set())
            group.update(_open_times(stands, errors.get((state.sync.id, state.export)), now))
    for (_, cadence), times in groups.items():
        found = {
            window
            for after, until in times
            for window in closed_windows(after, until, feed)
            if window.start >= FIRST_WINDOW and window.due(cadence)
        }
        if found:
            yield sorted(found)


def _open_times(
    stands: datetime, failing: Failing | None, now: datetime
) -> Iterable[tuple[datetime, datetime]]:
    """The times `(after, until]` in which no window was settled for a pair.

    However long it fails, that is only what came before its first error and after its last one.
    """
    if failing is None or failing.until <= stands:
        return [(stands, now)]
    return [
        (after, until)
        for after, until in [(stands, failing.since), (failing.until, now)]
        if after < until
    ]


def _runs_of_syncs(
    lane: Lane, states: Sequence[ExportState], seen: Seen, now: datetime, feed: Feed
) -> list[Request]:
    """One run per window and batch of syncs; the window is the last closed one that is due."""
    waiting: dict[Window, dict[str, int]] = {}
    for state in states:
        window = last_closed_window(now, state.sync.cadence, feed)
        attempt = _next_attempt(lane, state.sync.id, seen, now, window, turns=_turns(state))
        if attempt is not None and window.end > _served_until(state):
            waiting.setdefault(window, {})[state.sync.id] = attempt
    return [
        Request(lane, window, tuple(batch), attempts[batch[0]], feed)
        for window, attempts in sorted(waiting.items())
        for batch in _batches(sorted(attempts))
    ]


def _turns(state: ExportState) -> int:
    """How many runs ended because others were to have their turn: these did not fail."""
    return state.open_plan.slice // SLICES_A_TURN if state.open_plan else 0


def _served_until(state: ExportState) -> datetime:
    """Windows that end by then are no work: they lie before the position, or before the sync.

    Or in a pause, unless a plan was left open then. All history is sent again in any.
    """
    ends = [state.registered.created_at]
    if state.position is not None and not (state.open_plan and state.open_plan.is_first):
        ends.append(state.position.at)
        if state.switch.resumed_at is not None and state.open_plan is None:
            ends.append(state.switch.resumed_at)
    return max(ends)


def _batches(sync_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (sync_ids[at : at + MAX_SYNCS] for at in range(0, len(sync_ids), MAX_SYNCS))


def _will_commit(exports: Sequence[Request], seen: Seen, shard: Shard | None) -> bool:
    """Whether a run of all syncs, or all of the shard's, is asked for or under way."""
    if any(one.lane is Lane.TICK for one in exports):
        return True
    running = seen.running
    return any(lane is Lane.ALL or (lane is Lane.TICK and _serves(k, shard)) for lane, k in running)


def _serves(key: str, shard: Shard | None) -> bool:
    """Whether the run of a window's key serves syncs of a shard."""
    return shard is None or " " not in key or key.endswith(f" {shard}")


def _manifest_runs(
    exports: Sequence[Request],
    states: Sequence[ExportState],
    seen: Seen,
    now: datetime,
    feed: Feed,
) -> list[Request]:
    """One run for all syncs with something to commit or put that no export's run is about to.

    That is so after a run that failed or died before its end, as where one table cannot be read,
    and while a run of the sync's own takes long. A manifest that could not be put in a window is
    outstanding in the next, like an export.
    """
    window = last_closed_window(now, feed.cadences[0], feed)
    held_up = {state.sync.id for state in states if _delivered_before(state, window)}
    served = {key for one in exports for key in one.keys}
    served |= {key for _, key in seen.running} - held_up
    waiting: dict[str, int] = {}
    closed = {sync_id for sync_id in seen.uncommitted if not seen.open(sync_id, now)}
    for sync_id in sorted(closed - served):
        attempt = _next_attempt(Lane.MANIFEST, sync_id, seen, now)
        if attempt is not None and not _failed((sync_id, CHAIN), window, seen):
            waiting[sync_id] = attempt
    if not waiting:
        return []
    return [Request(Lane.MANIFEST, window, tuple(waiting), next(iter(waiting.values())), feed)]


def _delivered_before(state: ExportState, window: Window) -> bool:
    """Whether all of a plan of an earlier window was delivered, and waits since then."""
    plan = state.open_plan
    return bool(plan and plan.is_delivered and plan.last_slice and plan.upper.at < window.end)


def _failed(pair: Pair, window: Window, seen: Seen) -> bool:
    failing = seen.errors.get(pair)
    return failing is not None and failing.covers(window.end)


def _next_attempt(
    lane: Lane,
    key: str,
    seen: Seen,
    now: datetime,
    window: Window | None = None,
    *,
    turns: int = 0,
) -> int | None:
    """The next attempt's number; None while one is running or it is too early.

    So many of those before were no failures, but `turns` that came to their end.

    Runs of slow syncs do not wait for a `window` that has closed since the last one.
    """
    if (lane, key) in seen.running:
        return None
    count, last_at = seen.attempts.get((lane, key), (0, None))
    new = lane is Lane.SLOW and window is not None and last_at is not None and last_at < window.end
    if last_at is not None and now < last_at + _wait(count - turns) and not new:
        return None
    return count + 1


def _wait(count: int) -> timedelta:
    return min(FIRST_WAIT * 2 ** max(0, min(count - 1, 10)), LONGEST_WAIT)

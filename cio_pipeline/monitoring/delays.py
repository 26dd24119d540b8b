"""Which syncs are behind, since when and why: one finding a sync, however many exports it has."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.registry import ExportState, Pair
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import Window
from cio_pipeline.monitoring.delivery import DeliveryReport, delivery_report

LATE = timedelta(hours=1)
"""Who is behind by more than this and two cadences wants somebody now."""

FIRST_FILES = timedelta(days=1)
"""First files may wait for their turn, but not for longer than this and two cadences."""

NAMED = 3
"""Things that one sentence names."""


def delayed(
    window: Window,
    states: Sequence[ExportState],
    failing: Mapping[Pair, Failing],
    breakers: Mapping[str, Breaker],
    running: Collection[Pair],
) -> Iterator[Finding]:
    """The syncs that were due in a window and do not have all that there was up to its end.

    Who is being served just now (`running`) is not behind, nor who has not waited for its first
    files for long. A sync is `late` for a reason that is told once: its breaker, an error, the
    source, or no run at all.
    """
    errors = {pair: one.message for pair, one in failing.items() if one.covers(window.end)}
    behind: defaultdict[str, list[ExportState]] = defaultdict(list)
    by_pair = {(state.sync.id, state.export): state for state in states}
    for export in dict.fromkeys(state.export for state in states):
        report = delivery_report(export, window, states, errors)
        waiting = (by_pair[sync_id, export] for sync_id in report.waiting)
        long = (one.sync.id for one in waiting if _behind(one, window) > _limit(one, LATE))
        for sync_id in (*_problems(report), *long):
            if (sync_id, export) not in running:
                behind[sync_id].append(by_pair[sync_id, export])
    for sync_id, its in sorted(behind.items()):
        yield _finding(window, its, errors, breakers.get(sync_id))


def _problems(report: DeliveryReport) -> Iterator[str]:
    yield from (sync_id for sync_id, _, _ in report.failed)
    yield from (sync_id for sync_id, _ in report.late)


def _since(state: ExportState) -> datetime:
    """Up to when everything was sent; before the first files, since when these are due."""
    if state.stands_at is not None:
        return state.stands_at
    created = state.registered.created_at
    return max(created, state.switch.resumed_at or created)


def _behind(state: ExportState, window: Window) -> timedelta:
    return window.end - _since(state)


def _limit(state: ExportState, limit: timedelta) -> timedelta:
    return max(limit, 2 * state.sync.cadence.length)


def _wants_somebody(state: ExportState, window: Window, errors: Mapping[Pair, str]) -> bool:
    """Whether that goes on for too long; first files that no error holds up may be in a queue."""
    queued = state.is_fresh and _pair(state) not in errors
    return _behind(state, window) > _limit(state, FIRST_FILES if queued else LATE)


def _finding(
    window: Window,
    behind: Sequence[ExportState],
    errors: Mapping[Pair, str],
    breaker: Breaker | None,
) -> Finding:
    sync = behind[0].sync
    since = utc(min(_since(state) for state in behind))
    names = listed([state.export for state in behind])
    cause, command = _why(window, behind, errors, breaker)
    begun = any(state.stands_at is not None for state in behind)
    so_far = f"delivered up to {since}" if begun else f"nothing was delivered since {since}"
    wants_somebody = any(_wants_somebody(state, window, errors) for state in behind)
    return Finding(
        "delayed_syncs",
        Severity.ERROR if wants_somebody else Severity.WARNING,
        f"{names}: {so_far}, due up to {utc(window.end)} (every {sync.cadence}).",
        cause,
        command,
        sync.id,
        sync.owner,
        window_end=window.end,
    )


def _why(
    window: Window,
    behind: Sequence[ExportState],
    errors: Mapping[Pair, str],
    breaker: Breaker | None,
) -> tuple[str, str]:
    """The likely cause and the next command."""
    sync_id = behind[0].sync.id
    if breaker is not None and breaker.state is not BreakerState.SLOW:
        resume = f"cio-pipeline sync resume {sync_id}"
        return f"Its breaker is {breaker.describe(window.end)}: {breaker.message}", resume
    told = [errors[state.sync.id, state.export] for state in behind if _pair(state) in errors]
    if told:
        return told[0], f"cio-pipeline export --now --sync {sync_id}"
    if breaker is not None:
        return "It is slow and has runs of its own.", f"cio-pipeline sync show {sync_id}"
    if all(state.is_fresh for state in behind):
        cause = (
            "No run works on its first files and none told an error: they wait for their turn, "
            "runs of the lane `initial` are killed (memory?), or Dagster's daemon stands still."
        )
        return cause, "cio-pipeline status"
    return (
        "No run served it and none failed: Dagster's daemon or the feed's sensor may stand still.",
        "cio-pipeline status",
    )


def _pair(state: ExportState) -> Pair:
    return state.sync.id, state.export


def unlisted(report: DeliveryReport) -> Iterator[Finding]:
    """The syncs whose chain of manifests could not be continued in their bucket."""
    for sync_id, owner, message in report.failed:
        yield Finding(
            "manifest_lies_in_every_bucket",
            Severity.ERROR,
            "Files were delivered that no manifest in the bucket lists: readers do not see them.",
            message,
            f"cio-pipeline sync show {sync_id}",
            sync_id,
            owner,
            CHAIN,
            report.window_end,
        )


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more."""
    known = list(names)
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + more

"""Which syncs are behind, since when and why: one finding a sync, however many exports it has."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

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

    Who waits for its first files, or is being served just now (`running`), is not behind. A sync
    is `late` for a reason that is told once: its breaker, an error, the source, or no run at all.
    """
    errors = {pair: one.message for pair, one in failing.items() if one.covers(window.end)}
    behind: defaultdict[str, list[ExportState]] = defaultdict(list)
    by_pair = {(state.sync.id, state.export): state for state in states}
    for export in dict.fromkeys(state.export for state in states):
        for sync_id in _problems(delivery_report(export, window, states, errors)):
            if (sync_id, export) not in running:
                behind[sync_id].append(by_pair[sync_id, export])
    for sync_id, its in sorted(behind.items()):
        yield _finding(window, its, errors, breakers.get(sync_id))


def _problems(report: DeliveryReport) -> Iterator[str]:
    yield from (sync_id for sync_id, _, _ in report.failed)
    yield from (sync_id for sync_id, _ in report.late)


def _finding(
    window: Window,
    behind: Sequence[ExportState],
    errors: Mapping[Pair, str],
    breaker: Breaker | None,
) -> Finding:
    sync = behind[0].sync
    since = min(state.stands_at or state.registered.created_at for state in behind)
    names = listed([state.export for state in behind])
    cause, command = _why(window, behind, errors, breaker)
    wants_somebody = window.end - since > max(LATE, 2 * sync.cadence.length)
    return Finding(
        "delayed_syncs",
        Severity.ERROR if wants_somebody else Severity.WARNING,
        f"{names}: delivered up to {utc(since)}, due up to {utc(window.end)} "
        f"(every {sync.cadence}).",
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

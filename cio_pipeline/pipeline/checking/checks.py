"""The checks, each declared once: shown by Dagster, printed by `doctor`, sent by alerts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.findings import Finding
from cio_pipeline.model.windows import Window, last_closed_window, window_ending
from cio_pipeline.monitoring.acknowledging import NAME as NAME_OF_BACKLOG
from cio_pipeline.monitoring.delays import delayed, unlisted
from cio_pipeline.monitoring.delivery import manifest_report
from cio_pipeline.monitoring.reconciling import NAME as NAME_OF_RECOUNT
from cio_pipeline.monitoring.reconciling import told
from cio_pipeline.pipeline.checking.buckets import backlogs, missing, sequences
from cio_pipeline.pipeline.checking.history import (
    event_names,
    identity,
    quarantine,
    too_young,
    volumes,
)
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.pipeline.checking.source_columns import source_columns
from cio_pipeline.pipeline.services import Services

Find: TypeAlias = Callable[[Scene], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """One check: what it is called and says, and how it finds what is wrong in a window.

    `note` tells what it could not judge, such as for lack of history. One that is `shown` apart
    has an asset check of its own in Dagster. What a `steady` one finds changes with windows alone.
    """

    name: str
    summary: str
    find: Find
    note: Callable[[Scene], str] = lambda _: ""
    shown: bool = False
    steady: bool = False


def _delayed(scene: Scene) -> Iterator[Finding]:
    if not scene.behind:
        return
    holders = scene.services.ledger.leases.holders(scene.now)
    running = {(one.sync_id, one.export) for one in holders}
    for cadence, window in scene.last_due.items():
        its = [state for state in scene.behind if state.sync.cadence is cadence]
        yield from delayed(window, its, scene.failing, scene.breakers, running)


def _unlisted(scene: Scene) -> Iterator[Finding]:
    return unlisted(manifest_report(scene.window, scene.syncs.values(), scene.errors))


def _recounted(scene: Scene) -> Iterator[Finding]:
    """What the last recount of a day told otherwise, until it is repaired."""
    known = scene.services.ledger.looks.differences().values()
    its = [one for one in known if one.sync_id in scene.syncs and one.end <= scene.window.end]
    yield from told(its, {one.sync_id: scene.owner(one.sync_id) for one in its})


CHECKS: tuple[Check, ...] = (
    Check(
        "delayed_syncs",
        "Syncs that were due and do not have all that there was, since when and why.",
        _delayed,
    ),
    Check(
        "manifest_lies_in_every_bucket",
        "Syncs whose files lie in their bucket and in no manifest there.",
        _unlisted,
        shown=True,
    ),
    Check(
        "missing_files",
        "Files that a manifest lists and that do not lie in the bucket any more; each bucket is "
        "looked into once a day at least.",
        missing,
        steady=True,
    ),
    Check(
        "sequences",
        "Numbers of files that no manifest lists or calls void, and files that come twice.",
        sequences,
        steady=True,
    ),
    Check(
        "volumes",
        "Half or double the rows of the same hour or day of earlier weeks, and events that went "
        "silent.",
        volumes,
        too_young,
        steady=True,
    ),
    Check(
        "identity",
        "A smaller share of rows than in the week before tells who it is about.",
        identity,
        steady=True,
    ),
    Check(
        "event_names",
        "Events that are one to people and have several names in the data, of the day under way.",
        event_names,
        steady=True,
    ),
    Check(
        "quarantine",
        "Rows that broke the contract and were held back in the last day, with their reasons.",
        quarantine,
    ),
    Check(
        "source_columns",
        "Columns of the source tables that came, went or changed their type in the last day, and "
        "the exports that read them.",
        source_columns,
        steady=True,
    ),
    Check(
        NAME_OF_BACKLOG,
        "Syncs whose reader has not acknowledged in time what was put (`acknowledge_within`).",
        backlogs,
    ),
    Check(
        NAME_OF_RECOUNT,
        "Days of which the source tells other rows than were sent, as the daily recount found.",
        _recounted,
    ),
)
"""All of them, in the order in which they are told."""

GRACE = timedelta(minutes=15)
"""So long after its end a window may be under way."""


def found(scene: Scene, check: Check) -> Sequence[Finding]:
    """What a check finds in a scene; who asks again is told what a steady one found before."""
    if not check.steady or scene.sync_ids is not None:
        return tuple(check.find(scene))
    key, kept = (check.name, scene.feed.value), scene.services.checked
    if key not in kept or kept[key][0] != scene.window:
        kept[key] = scene.window, tuple(check.find(scene))
    return kept[key][1]


def findings(
    services: Services,
    window: Window,
    feeds: Collection[Feed] | None = None,
    sync_ids: Collection[str] | None = None,
) -> list[Finding]:
    """All that is wrong in a window: of the feeds that have such a window, or of those named.

    Asks the ledger with a few statements for all syncs, the source for its columns, and some
    buckets for a listing. Raises what these raise.
    """
    found: list[Finding] = []
    for feed in Feed if feeds is None else feeds:
        if window_ending(window.end, feed).end == window.end:
            scene = Scene(services, window, feed, sync_ids)
            found += findings_of(scene) if scene.syncs else []
    return found


def findings_of(scene: Scene) -> list[Finding]:
    """What all checks find in one window of a feed."""
    return [one for check in CHECKS for one in check.find(scene)]


def last_windows(now: datetime) -> dict[Feed, Window]:
    """Of each feed the last window that should be done by now."""
    return {feed: last_closed_window(now - GRACE, feed.cadences[0], feed) for feed in Feed}


def latest_findings(services: Services, sync_ids: Collection[str] | None = None) -> list[Finding]:
    """All that is wrong in the last window of each feed that should be done by now."""
    windows = last_windows(services.clock())
    return [
        one
        for feed, window in windows.items()
        for one in findings(services, window, [feed], sync_ids)
    ]

"""What alerts are made of: what checks find, what `status` tells besides, and what ends soon."""

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeAlias

from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc
from cio_pipeline.model.volumes import DAY
from cio_pipeline.monitoring.incidents import BLIND, BREAKER, DELAYED
from cio_pipeline.pipeline.checking.checks import CHECKS, last_windows
from cio_pipeline.pipeline.checking.checks import found as found_by
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.scheduling.standing import Wrong, standing
from cio_pipeline.pipeline.services import Services

CredentialsUntil: TypeAlias = Callable[[Sync], datetime | None]
"""When what a sync's destination is reached with ends; None if that is not known."""

SOON = timedelta(days=14)
"""So long before its end a key is to be renewed."""

FLOOD = 1_000
"""Rows of a sync that are held back: so many are no slips of single rows."""

_NOW = "cio-pipeline status"

AGAIN = 2
"""Runs in a row that a destination failed in until it counts as more than a hiccup."""

FILLING, FULL = 5 * 10**9, 10**9
"""Bytes that are free where files are encoded: little, and too little."""

_CAUSES: Mapping[str, str] = {
    "breaker": "The store is down or throttles, or the key, bucket or permission is wrong.",
    "clock": "A machine that runs the pipeline had its clock ahead, or this one is behind.",
    "source": "The writer of the table, or who looks after it.",
}
"""What `status` tells and no check does, and what it probably comes from."""


def findings(
    services: Services, until: CredentialsUntil, room: Callable[[Path], int] | None = None
) -> list[Finding]:
    """All that is wrong now, or soon (O1, O3). `room` gives the bytes that are free for a folder.

    What a check cannot look at is a finding, too: the other checks go on.
    """
    registered = services.ledger.registry.all()
    syncs = [one.sync for one in registered if one.disabled_at is None]
    broken = list(_of_standing(services, syncs))
    stopped = {one.sync_id for one in broken if one.check == BREAKER}
    checked = (one for one in _checked(services) if not _comes_of(one, stopped))
    return [
        *broken,
        *_flooded(services, syncs),
        *checked,
        *_ending(syncs, until, services.clock()),
        *_looked("disk", _NOW, lambda: _filling(services.spool.root, room or room_of)),
    ]


def _comes_of(one: Finding, stopped: Collection[str | None]) -> bool:
    """Whether a sync is behind since its breaker is open: that is one incident."""
    return one.check == DELAYED and one.sync_id in stopped


def _checked(services: Services) -> Iterator[Finding]:
    for feed, window in last_windows(services.clock()).items():
        scene = Scene(services, window, feed)
        command = f"cio-pipeline doctor --window {window.key}"
        for check in CHECKS:
            yield from _looked(check.name, command, partial(found_by, scene, check))


def _looked(name: str, command: str, find: Callable[[], Iterable[Finding]]) -> Sequence[Finding]:
    """What a check finds, and why it could not look."""
    found: list[Finding] = []
    failure = caught(lambda: found.extend(find()))
    if failure is not None:
        found.append(
            Finding(
                check=BLIND,
                severity=Severity.ERROR,
                says=f"The check {name} could not look: {failure.message}",
                cause="What it asks is down, or not as it was.",
                command=command,
                about=name,
            )
        )
    return found


def _of_standing(services: Services, syncs: Sequence[Sync]) -> Iterator[Finding]:
    """One finding per kind and sync, or source table."""
    owners = {one.id: one.owner for one in syncs}
    breakers = services.ledger.breakers.all()
    for one in standing(services).wrong:
        if one.kind in _CAUSES:
            of = f"{', '.join(one.of)}: " if one.sync_id and one.of else ""
            yield Finding(
                check=one.kind,
                severity=_severity(one, breakers.get(one.sync_id or "")),
                says=f"{of}{one.why}",
                cause=_CAUSES[one.kind],
                command=one.next_step,
                sync_id=one.sync_id,
                owner=owners.get(one.sync_id or ""),
                about=", ".join(one.of) if one.sync_id is None else None,
            )


def _severity(one: Wrong, breaker: Breaker | None) -> Severity:
    """What may go away by itself, or harms no reader, is a warning."""
    match one.kind:
        case "breaker":
            failing = breaker is not None and breaker.state is not BreakerState.STOPPED
            mild = failing and breaker is not None and breaker.failures < AGAIN
        case _:
            # A table that could not be read at the last cut has no time since when.
            mild = one.since is not None
    return Severity.WARNING if mild else Severity.ERROR


def _flooded(services: Services, syncs: Sequence[Sync]) -> Iterator[Finding]:
    """Syncs of which so many rows were held back in the last day; older ones are known by now."""
    held: Counter[str] = Counter()
    for (sync_id, _), its in services.ledger.looks.held_back(services.clock() - DAY).items():
        held[sync_id] += sum(rows for rows, _ in its.values())
    for sync in syncs:
        if held[sync.id] >= FLOOD:
            yield Finding(
                check="quarantine_grows",
                severity=Severity.ERROR,
                says=f"{held[sync.id]:,} rows broke the contract and were held back in 24 hours.",
                cause="A writer puts rows into the source that lack values or have wrong ones.",
                command=f"cio-pipeline quarantine list --sync {sync.id}",
                sync_id=sync.id,
                owner=sync.owner,
            )


def _ending(syncs: Sequence[Sync], until: CredentialsUntil, now: datetime) -> Iterator[Finding]:
    for sync in syncs:
        at = until(sync)
        if at is None or at - now > SOON:
            continue
        ended = at <= now
        yield Finding(
            check="key_ends",
            severity=Severity.ERROR,
            says=f"The SAS URL {'ended' if ended else 'ends'} on {utc(at)}.",
            cause="It was made for a time, and nobody has made a new one.",
            command=f"cio-pipeline sync validate {sync.id}  # once a new one lies there",
            sync_id=sync.id,
            owner=sync.owner,
        )


def _filling(spool: Path, room: Callable[[Path], int]) -> Iterator[Finding]:
    free = room(spool)
    if free < FILLING:
        yield Finding(
            check="disk",
            severity=Severity.ERROR if free < FULL else Severity.WARNING,
            says=f"Only {free / 10**9:.1f} GB are free where files are encoded.",
            cause="The spool keeps files of stores that are down, or others fill the disk.",
            command=_NOW,
        )


def room_of(folder: Path) -> int:
    """The bytes that are free where a folder is, or will be."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free

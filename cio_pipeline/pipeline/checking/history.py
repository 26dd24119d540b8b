"""What was sent lately against what used to be: volumes, identity, names of events (O1, O2)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from cio_pipeline.model.findings import Finding
from cio_pipeline.model.registry import Pair, RegisteredSync
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, NOBODY, PERSON, Key, Volume, ended
from cio_pipeline.monitoring.event_names import clashing_names
from cio_pipeline.monitoring.held_back import Held, held_back
from cio_pipeline.monitoring.identity import lost_identity
from cio_pipeline.monitoring.volume import (
    BESIDE,
    FEWEST,
    LITTLE,
    Judged,
    compared_with,
    odd_volumes,
)
from cio_pipeline.pipeline.checking.scene import Scene

WEEK = 7
"""Days that shares are held against."""

FEW_ROWS = LITTLE // 2
"""Earlier numbers below it count as none: they raise no expectation."""


def volumes(scene: Scene) -> Iterator[Finding]:
    """Odd volumes of the last hour and the last day that are over."""
    for length in (HOUR, DAY):
        end = ended(scene.window.end, length)
        judged = _judged(scene, end, length)
        held = _held_against(scene, end, length, judged) if judged else {}
        found = list(odd_volumes(end, length, held, judged))
        if found and length == HOUR:
            found = list(_odd_beside(scene, end, held, judged, found))
        yield from found


def _odd_beside(
    scene: Scene,
    end: datetime,
    held: Mapping[datetime, Mapping[Key, Volume]],
    judged: list[Judged],
    found: Collection[Finding],
) -> Iterator[Finding]:
    """What was found of an hour and is odd beside it, too; of few the hours beside are read."""
    odd = {(one.sync_id, one.export) for one in found}
    again = [one for one in judged if one.pair in odd]
    ends = {at + beside for at in held if at < end for beside in BESIDE}
    ids = {one.pair[0] for one in again}
    kept = scene.services.ledger.volumes.of(HOUR, ends, sync_ids=ids, least=FEW_ROWS)
    return odd_volumes(end, HOUR, {**kept, **held}, again)


def too_young(scene: Scene) -> str:
    """Of how many exports too little is known to judge their volumes."""
    end = ended(scene.window.end, HOUR)
    judged = _judged(scene, end, HOUR)
    known: dict[datetime, int] = {}
    for one in judged:
        if one.since not in known:
            known[one.since] = len(compared_with(end, HOUR, one.since))
    young = sum(known[one.since] < FEWEST for one in judged)
    if not young:
        return ""
    return f"Too little history to judge {young:,} of {len(judged):,} exports yet."


def _judged(scene: Scene, end: datetime, length: timedelta) -> list[Judged]:
    """The exports that stand behind an hour or day, and are due at least as often."""
    begun = scene.volumes_begun
    if begun is None:
        return []
    stands = scene.stands
    return [
        Judged((one.sync.id, export), one.sync.owner, max(_since(one, export), begun))
        for one, export in scene.exports_on
        if one.sync.cadence.length <= length
        and stands.get((one.sync.id, export), begun - DAY) >= end
    ]


def _since(one: RegisteredSync, export: str) -> datetime:
    resumed = one.switches[export].resumed_at
    return max(one.created_at, resumed) if resumed else one.created_at


def _held_against(
    scene: Scene, end: datetime, length: timedelta, judged: list[Judged]
) -> dict[datetime, dict[Key, Volume]]:
    """The volumes that these are held against: more days of those of which little is known."""
    kept = scene.services.ledger.volumes
    ends: defaultdict[datetime, set[str]] = defaultdict(set)
    for one in judged:
        ends[one.since].add(one.pair[0])
    week = {at for at in compared_with(end, length, min(ends)) if (end - at).days % WEEK == 0}
    few: dict[datetime, set[str]] = {
        since: its
        for since, its in ends.items()
        if not week.issuperset(compared_with(end, length, since))
    }
    found = {at: dict(its) for at, its in kept.of(length, {end, end + length}).items()}
    found |= {at: dict(its) for at, its in kept.of(length, week, least=FEW_ROWS).items()}
    more = {at for since in few for at in compared_with(end, length, since)} - found.keys()
    if more:
        syncs = {sync_id for its in few.values() for sync_id in its}
        earlier = kept.of(length, more, sync_ids=syncs, least=FEW_ROWS)
        found |= {at: dict(its) for at, its in earlier.items()}
    return found


def identity(scene: Scene) -> Iterator[Finding]:
    """Exports of whose rows fewer tell who they are about than in the week before."""
    day = ended(scene.window.end - timedelta(microseconds=1), DAY) + DAY
    ends = [day - n * DAY for n in range(WEEK + 1)]
    found = scene.services.ledger.volumes.of(DAY, ends, kinds=(PERSON, NOBODY))
    pairs: dict[Pair, str | None] = {
        (sync_id, export): scene.owner(sync_id)
        for sync_id, export, _ in found[day]
        if sync_id in scene.syncs
    }
    return lost_identity(day, found, sorted(pairs.items()))


def event_names(scene: Scene) -> Iterator[Finding]:
    """Names of events of the day under way that are one to people."""
    day = ended(scene.window.end - timedelta(microseconds=1), DAY) + DAY
    found = scene.services.ledger.volumes.of(DAY, [day])[day]
    named = {key: one for key, one in found.items() if key[2].startswith(EVENT)}
    return clashing_names(day, named, {key: one.sync.owner for key, one in scene.syncs.items()})


def quarantine(scene: Scene) -> Iterator[Finding]:
    """Rows that were held back in the day before the window's end."""
    end, ledger = scene.window.end, scene.services.ledger
    lately = ledger.looks.held_back(end - DAY)
    of = [
        Held(
            pair,
            {reason: rows for reason, (rows, _) in its.items()},
            max(last for _, last in its.values()),
        )
        for pair, its in lately.items()
        if pair[0] in scene.syncs
    ]
    if not of:
        return iter(())
    day = ended(end - timedelta(microseconds=1), DAY) + DAY
    ids = {one.pair[0] for one in of}
    kept = ledger.volumes.of(DAY, [day, day - DAY], kinds=(ALL,), sync_ids=ids)
    sent: defaultdict[Pair, int] = defaultdict(int)
    for its in kept.values():
        for (sync_id, export, _), one in its.items():
            sent[sync_id, export] += one.rows
    owners = {key: one.sync.owner for key, one in scene.syncs.items()}
    return held_back(end, of, sent, owners)

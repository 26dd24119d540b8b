"""What alerts are made of: all that `status` calls wrong, and what will be wrong soon (O1, O3)."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from cio_pipeline.model import errors
from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.scheduling.standing import Wrong, standing
from cio_pipeline.pipeline.services import Services

CredentialsUntil: TypeAlias = Callable[[Sync], datetime | None]
"""When what a sync's destination is reached with ends; None if that is not known."""

SOON = timedelta(days=14)
"""So long before its end a key is to be renewed."""

FLOOD = 1_000
"""Rows of a sync that are held back: so many are no slips of single rows."""

AGAIN = 2
"""Windows, or runs, that something failed in until it counts as more than a hiccup."""

FILLING, FULL = 5 * 10**9, 10**9
"""Bytes that are free where files are encoded: little, and too little."""

_CAUSES: Mapping[str, str] = {
    "breaker": "The store is down or throttles, or the key, bucket or permission is wrong.",
    "failing": "The error says it: the source table, the destination, or this machine.",
    "late": "The daemon or the feed's sensor does not run, or runs wait in the queue.",
    "quarantine": "A writer puts rows into the source that lack values or have wrong ones.",
    "source": "The writer of the table, or who looks after it.",
}


def findings(
    services: Services, until: CredentialsUntil, room: Callable[[Path], int] | None = None
) -> list[Finding]:
    """All that is wrong now, or soon.

    Only the ledger, the secrets and this machine's disk are asked. `room` gives the bytes that are
    free for a folder.
    """
    wrong = standing(services).wrong
    syncs = [one for one in services.ledger.registry.all() if one.disabled_at is None]
    owners = {one.sync.id: one.sync.owner for one in syncs}
    breakers, failing = services.ledger.breakers.all(), services.ledger.failing.all()
    return [
        *_of_standing(wrong, owners, breakers, failing),
        *_ending([one.sync for one in syncs], until, services.clock()),
        *_filling(services.spool.root, room or _room),
    ]


def _of_standing(
    wrong: Sequence[Wrong],
    owners: Mapping[str, str | None],
    breakers: Mapping[str, Breaker],
    failing: Mapping[Pair, Failing],
) -> Iterator[Finding]:
    """One finding per kind and sync, or source table.

    A sync whose breaker is open fails for that: it is one incident.
    """
    broken = {one.sync_id for one in wrong if one.kind == "breaker"}
    groups: defaultdict[tuple[str, str | None, str | None], list[Wrong]] = defaultdict(list)
    for one in wrong:
        if one.kind != "failing" or one.sync_id not in broken:
            about = ", ".join(one.of) if one.sync_id is None else None
            groups[one.kind, one.sync_id, about].append(one)
    for (kind, sync_id, about), its in groups.items():
        exports = sorted({export for one in its for export in one.of} if sync_id else ())
        of = f"{_named(exports)}: " if exports else ""
        yield Finding(
            check=kind,
            severity=_severity(its, breakers, failing),
            says=f"{of}{its[0].why}",
            cause=_CAUSES.get(kind, "See docs/operations.md."),
            command=its[0].next_step,
            sync_id=sync_id,
            owner=owners.get(sync_id or ""),
            about=about,
        )


def _named(exports: Sequence[str]) -> str:
    few = len(exports) <= AGAIN
    return ", ".join(exports) if few else f"{len(exports)} exports"


def _severity(
    its: Sequence[Wrong], breakers: Mapping[str, Breaker], failing: Mapping[Pair, Failing]
) -> Severity:
    """What may go away by itself, or harms no reader, is a warning."""
    first = its[0]
    match first.kind:
        case "breaker":
            one = breakers.get(first.sync_id or "")
            mild = one is not None and one.state is not BreakerState.STOPPED
            mild = mild and one is not None and one.failures < AGAIN
        case "failing":
            errors_of = [one for (sync_id, _), one in failing.items() if sync_id == first.sync_id]
            mild = not any(one.windows >= AGAIN or _stays(one.kind) for one in errors_of)
        case "quarantine":
            mild = _rows(first) < FLOOD
        case "source":
            mild = first.since is not None
        case _:
            mild = False
    return Severity.WARNING if mild else Severity.ERROR


def _stays(kind: str) -> bool:
    """Whether an error of that name is there until somebody acts."""
    found = getattr(errors, kind, None)
    return isinstance(found, type) and issubclass(found, errors.Permanent)


def _rows(one: Wrong) -> int:
    number = one.why.split(" ", 1)[0].replace(",", "")
    return int(number) if number.isdigit() else 0


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
            command="cio-pipeline status",
        )


def _room(folder: Path) -> int:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free

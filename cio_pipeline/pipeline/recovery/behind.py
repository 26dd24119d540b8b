"""Whether a sync's bucket is ahead of the ledger: then the ledger is an old or a new one (D10)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.errors import CioError, LedgerBehind, ManifestBroken
from cio_pipeline.model.manifests import FOLDER, manifest_key, manifest_ordinal, parse_manifest
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination, Destinations


@dataclass(frozen=True)
class Compared:
    """What came of holding a sync's ledger against its bucket.

    `behind` says what the bucket has beyond the ledger and what to do, `unread` why it could not
    be looked at.
    """

    sync_id: str
    behind: str | None = None
    unread: str | None = None


def compare(services: Services, syncs: Iterable[Sync]) -> list[Compared]:
    """Hold the ledger's last manifest of each sync against its bucket's; raises for no bucket."""
    syncs = list(syncs)
    last = services.ledger.manifests.lasts([sync.id for sync in syncs])
    return [
        _compared(services.destinations, sync, last[sync.id][0] if sync.id in last else 0)
        for sync in syncs
    ]


def _compared(destinations: Destinations, sync: Sync, known: int) -> Compared:
    if not sync.manifest:
        return Compared(sync.id)
    try:
        destination = destinations(sync)
        ordinals = [manifest_ordinal(found.key) or 0 for found in destination.list(FOLDER)]
        newest = max(ordinals, default=0)
        if newest <= known or not _is_of(destination, newest, sync):
            return Compared(sync.id)
    except CioError as error:
        return Compared(sync.id, unread=str(error))
    held = f"knows {known}" if known else "knows none"
    text = f"The bucket of sync '{sync.id}' holds manifest {newest}, and this ledger {held}."
    return Compared(sync.id, behind=f"{text} {_catch_up(sync.id)}")


def _is_of(destination: Destination, ordinal: int, sync: Sync) -> bool:
    """Whether a manifest is of that very sync; a broken one may be."""
    try:
        return parse_manifest(destination.get(manifest_key(ordinal))).sync_id == sync.id
    except ManifestBroken:
        return True


def stop_those_behind(services: Services, syncs: Iterable[Sync]) -> list[str]:
    """Stop syncs whose bucket is ahead of the ledger until it has caught up; what to do, for each.

    Nothing would be overwritten, but each number that is used already would be tried in vain.
    """
    now = services.clock()
    told: list[str] = []
    for one in compare(services, syncs):
        if one.behind is None:
            continue
        _stop(services, one.sync_id, one.behind, now)
        told.append(f"{one.behind} Until then nothing is sent to it.")
    return told


def stop_until_caught_up(services: Services, sync_id: str, why: str) -> None:
    """Stop a sync whose bucket could not be compared: nobody knows what it was sent since."""
    _stop(services, sync_id, f"{why} {_catch_up(sync_id)}", services.clock())


def _catch_up(sync_id: str) -> str:
    return f"Run `cio-pipeline ledger catch-up --sync {sync_id}`."


def _stop(services: Services, sync_id: str, text: str, now: datetime) -> None:
    kind = LedgerBehind.__name__
    stopped = Breaker(sync_id, BreakerState.STOPPED, 1, now, now, services.owner, kind, text)
    services.ledger.breakers.put([stopped])

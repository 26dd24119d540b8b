"""Putting the manifests that the ledger holds where readers look for them (D10)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from cio_pipeline.ledger.manifests import Manifests
from cio_pipeline.ledger.troubles import FailingPairs
from cio_pipeline.model.errors import (
    LeaseLost,
    LedgerBehind,
    ManifestBroken,
    ObjectConflict,
    PermissionMissing,
)
from cio_pipeline.model.failures import HELD_BACK, Failure, Tried
from cio_pipeline.model.manifests import CHAIN, manifest_key, parse_manifest
from cio_pipeline.model.registry import Outcome, Pair, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.breaker import note, run_of, why_held_back
from cio_pipeline.pipeline.heartbeat import HeldLease, claimed
from cio_pipeline.pipeline.in_parallel import caught, in_parallel
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination, Destinations


@dataclass(frozen=True)
class Continued(Tried):
    """What came of one sync's chain: the manifests that were put, or the error.

    `stored` is the last one of a sync whose manifests stay in the ledger; new ones list `files`.
    """

    sync_id: str
    ordinals: tuple[int, ...] = ()
    stored: int | None = None
    files: int = 0

    @property
    def ordinal(self) -> int | None:
        """The last manifest that the sync has now, if it has a new one."""
        return self.ordinals[-1] if self.ordinals else self.stored


MARK_AT_ONCE = 200
"""Manifests that lie in their buckets per transaction that tells the ledger so."""


def put_manifests(services: Services, window: Window, sync_ids: Collection[str]) -> None:
    """Put what is stored of some syncs and lies in no bucket yet, each chain in its order.

    A chain that somebody else puts just now is left to them; so is one that fails, which is
    recorded, to the window's end.
    """
    waiting = services.ledger.manifests.waiting().unput
    pairs: list[Pair] = [(sync_id, CHAIN) for sync_id in sorted(waiting.intersection(sync_ids))]
    if not pairs:
        return
    with claimed(services, pairs) as (held, _):
        tokens = held.lease.tokens
        known = services.ledger.registry.all() if tokens else ()
        put_held(services, held, window, [o for o in known if (o.sync.id, CHAIN) in tokens])


def put_held(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> dict[str, Continued]:
    """Put what lies in no bucket yet of chains that are held, in parallel; what came of each.

    What fails is recorded, and the syncs' breakers are told.
    """
    breakers, now = services.ledger.breakers.all(), services.clock()
    run = run_of(services.owner, window)
    reasons = {
        one.sync.id: why_held_back(breakers.get(one.sync.id), one.sync, run, now) for one in syncs
    }
    on = [one.sync.id for one in syncs if one.sync.manifest and not reasons[one.sync.id]]
    unput: defaultdict[str, list[tuple[int, bytes | None]]] = defaultdict(list)
    for sync_id, ordinal, body in services.ledger.manifests.unput(on):
        unput[sync_id].append((ordinal, body))
    put = partial(
        _put, services.destinations, services.ledger.manifests, held, reasons, unput=unput
    )
    done: dict[str, Continued] = {}
    ended = in_parallel(put, syncs, services.threads)
    while some := [its for _, its, _ in islice(ended, MARK_AT_ONCE)]:
        done |= _marked(services.ledger.manifests, services.clock(), some)
    for sync_id, its in done.items():
        if its.error is not None:
            record(services.ledger.failing, window, sync_id, its.error)
    # Of a manifest that stays in the ledger, no breaker has to know.
    told = [
        Outcome(key, CHAIN, one.workspace_id, None, files=len(its.ordinals), error=its.error)
        for one in (registered.sync for registered in syncs)
        for key, its in [(one.id, done[one.id])]
    ]
    note(services, window, told)
    return done


def _marked(manifests: Manifests, now: datetime, put: Sequence[Continued]) -> dict[str, Continued]:
    """Tell the ledger what lies in the buckets now; what it was not told is put again."""
    lying = [(its.sync_id, ordinal) for its in put for ordinal in its.ordinals]
    failure = caught(lambda: manifests.mark_put(lying, now)) if lying else None
    return {
        its.sync_id: Continued(its.sync_id, error=its.error or failure)
        if failure and its.ordinals
        else its
        for its in put
    }


def _put(
    destinations: Destinations,
    manifests: Manifests,
    held: HeldLease,
    reasons: Mapping[str, str | None],
    registered: RegisteredSync,
    *,
    unput: Mapping[str, Sequence[tuple[int, bytes | None]]],
) -> Continued:
    """Put a chain, unless there is a reason why its sync is sent nothing now."""
    sync = registered.sync
    if not sync.manifest:
        # D10: in the ledger only. They count as not put, so they are once `manifest` is on again.
        last = manifests.last(sync.id)
        return Continued(sync.id, stored=last[0] if last else None)
    if why := reasons[sync.id]:
        return Continued(sync.id, error=Failure(HELD_BACK, why))
    ordinals: list[int] = []

    def put_all() -> None:
        destination = destinations(sync)
        for ordinal, small in unput.get(sync.id, ()):
            body = small or manifests.body(sync.id, ordinal)
            held.recheck((sync.id, CHAIN))
            _put_one(destination, sync, manifest_key(ordinal), body)
            ordinals.append(ordinal)

    error = caught(put_all)
    return Continued(sync.id, tuple(ordinals), error=error)


def _put_one(destination: Destination, sync: Sync, key: str, body: bytes) -> None:
    """Create a manifest; what a killed run put of it counts.

    Whoever may only put (M4) cannot look whose a manifest is that lies there already. It is taken
    for this one, put before and not recorded, and put again.
    """
    try:
        destination.put_bytes(key, body)
    except ObjectConflict as error:
        if not _is_of(destination.get(key), sync):
            raise
        raise LedgerBehind(
            f"The bucket of sync '{sync.id}' holds another {key} of its own.",
            "The ledger does not know what was sent since: stop all runs, then "
            f"`cio-pipeline ledger catch-up --sync {sync.id}`.",
        ) from error
    except PermissionMissing:
        if not sync.feed.facts.overwrites:
            raise
        destination.overwrite(key, body, {})
        destination.make_durable([key])


def _is_of(body: bytes, sync: Sync) -> bool:
    try:
        return parse_manifest(body).sync_id == sync.id
    except ManifestBroken:
        return False


def record(failing: FailingPairs, window: Window, sync_id: str, failure: Failure) -> None:
    """Keep that a sync's chain could not be continued in a window."""
    if failure.kind == LeaseLost.__name__:
        return  # Another run has taken over the chain: what comes of it is that run's to say.
    failing.record({(sync_id, CHAIN): failure}, window)

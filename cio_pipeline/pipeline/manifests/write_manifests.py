"""Writing the chain of manifests (D10): stored in the ledger first, then put with create."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cio_pipeline.model.errors import (
    LeaseLost,
    LedgerBehind,
    ManifestBroken,
    ObjectConflict,
    PermissionMissing,
)
from cio_pipeline.model.failures import Failure, Tried
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import CHAIN, manifest_key, parse
from cio_pipeline.model.registry import Outcome, Pair, RegisteredSync
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.attempt import attempt
from cio_pipeline.pipeline.breaker import note, run_of, why_held_back
from cio_pipeline.pipeline.delivering.in_parallel import in_parallel
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease
from cio_pipeline.pipeline.manifests.store_manifests import store_rest
from cio_pipeline.pipeline.manifests.sweep_spool import sweep_spool
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


@dataclass(frozen=True)
class Written(Tried):
    """What came of one sync's chain: how many files the new manifest lists, or the error."""

    sync_id: str
    ordinal: int | None
    files: int


@dataclass(frozen=True)
class Put(Tried):
    """What was put of one sync's chain, or the last manifest that stays in the ledger."""

    ordinals: tuple[int, ...] = ()
    stored: int | None = None

    @property
    def last(self) -> int | None:
        """The last manifest that the sync has now, if it has a new one."""
        return self.ordinals[-1] if self.ordinals else self.stored


MARK_AT_ONCE = 200
"""Manifests that lie in their buckets per transaction that tells the ledger so."""


def write_manifests(
    services: Services,
    window: Window,
    sync_ids: Collection[str] | None = None,
    lane: Lane = Lane.ALL,
    feed: Feed | None = None,
) -> tuple[Written, ...]:
    """Put manifests that a crash left behind, then list what no manifest lists yet.

    Serves the syncs of one feed, or all; of these some, or all. A sync without a new commit gets
    no manifest. A sync that fails, or whose breaker is open, keeps its manifest in the ledger and
    is recorded; the others go on. Slow ones are left to their lane.
    """
    slow = _slow(services) if lane in {Lane.TICK, Lane.INITIAL} else ()
    wanted = [
        one.sync
        for one in services.ledger.registry.all()
        if feed in {None, one.sync.feed}
        and (sync_ids is None or one.sync.id in sync_ids)
        and one.sync.id not in slow
    ]
    busy = sorted(with_work(services, wanted))
    pairs: list[Pair] = [(sync_id, CHAIN) for sync_id in busy]
    lease, _ = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        mine = {sync_id for sync_id, _ in lease.tokens}
        # Read again under the lease: a sync may have moved, or begun a generation, until then.
        known = services.ledger.registry.all() if mine else ()
        ours = [one for one in known if one.sync.id in mine]
        return continue_chains(services, held, window, ours)
    finally:
        held.release()
        attempt(lambda: sweep_spool(services))


def _slow(services: Services) -> Collection[str]:
    now = services.clock()
    return {key for key, one in services.ledger.breakers.all().items() if one.slow(now)}


def with_work(services: Services, syncs: Iterable[Sync]) -> set[str]:
    """The ids of syncs that have something to list, or manifests that their bucket lacks.

    While `manifest` is off, the ledger keeps manifests that wait to be put: they are no work yet.
    """
    by_id = {sync.id: sync for sync in syncs}
    on = [sync_id for sync_id, sync in by_id.items() if sync.manifest]
    manifests = services.ledger.manifests
    return {*manifests.to_put(on), *manifests.to_list(list(by_id))}


def continue_chains(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> tuple[Written, ...]:
    """The same as write_manifests, of syncs whose chains are held."""
    listed, failed = store_rest(services, held, window, syncs)
    told = {key: _failed(services, window, key, failure) for key, failure in failed.items()}
    stored = [one for one in syncs if one.sync.id not in failed]
    told |= _put_all(services, held, window, stored, listed)
    return tuple(told[one.sync.id] for one in syncs)


def _put_all(
    services: Services,
    held: HeldLease,
    window: Window,
    syncs: Sequence[RegisteredSync],
    listed: Mapping[str, int],
) -> dict[str, Written]:
    """Put what lies in no bucket yet, syncs in parallel, and tell their breakers."""
    breakers, now = services.ledger.breakers.all(), services.clock()
    run = run_of(services, window)
    reasons = {
        one.sync.id: why_held_back(breakers.get(one.sync.id), one.sync, run, now) for one in syncs
    }

    def put(one: RegisteredSync) -> Put:
        why = reasons[one.sync.id] if one.sync.manifest else None
        return Put(error=Failure("BreakerOpen", why)) if why else _put(services, held, one)

    done: dict[str, Put] = {}
    chunk: dict[str, Put] = {}
    for one, its, _ in in_parallel(put, syncs, services.threads):
        chunk[one.sync.id] = its
        if len(chunk) == MARK_AT_ONCE:
            done |= _marked(services, chunk)
            chunk = {}
    done |= _marked(services, chunk)
    for sync_id, its in done.items():
        if its.error is not None:
            _record(services, window, sync_id, its.error)
    note(services, window, [_outcome(one.sync, done[one.sync.id]) for one in syncs])
    return {
        sync_id: Written(sync_id, its.last, listed.get(sync_id, 0), error=its.error)
        for sync_id, its in done.items()
    }


def _marked(services: Services, put: Mapping[str, Put]) -> dict[str, Put]:
    """Tell the ledger what lies in the buckets now; what it was not told is put again."""
    lying = [(sync_id, ordinal) for sync_id, its in put.items() for ordinal in its.ordinals]
    failure = attempt(lambda: services.ledger.manifests.mark_put(lying, services.clock()))
    return {
        sync_id: Put(error=its.error or failure) if failure and its.ordinals else its
        for sync_id, its in put.items()
    }


def _outcome(sync: Sync, its: Put) -> Outcome:
    """What the breaker has to know; a manifest that stays in the ledger says nothing."""
    files = 1 if its.ordinals else 0
    return Outcome(sync.id, CHAIN, sync.workspace_id, None, files=files, error=its.error)


def _failed(services: Services, window: Window, sync_id: str, failure: Failure) -> Written:
    _record(services, window, sync_id, failure)
    return Written(sync_id, None, 0, error=failure)


def _put(services: Services, held: HeldLease, registered: RegisteredSync) -> Put:
    sync = registered.sync
    if not sync.manifest:
        # D10: in the ledger only. They count as not put, so they are once `manifest` is on again.
        last = services.ledger.manifests.last(sync.id)
        return Put(stored=last[0] if last else None)
    ordinals: list[int] = []

    def put_all() -> None:
        destination = services.destinations(sync)
        for _, ordinal, body in services.ledger.manifests.unput([sync.id]):
            held.recheck((sync.id, CHAIN))
            _put_one(destination, sync, manifest_key(ordinal), body)
            ordinals.append(ordinal)

    error = attempt(put_all)
    return Put(tuple(ordinals), error=error)


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


def _is_of(body: bytes, sync: Sync) -> bool:
    try:
        return parse(body).sync_id == sync.id
    except ManifestBroken:
        return False


def _record(services: Services, window: Window, sync_id: str, failure: Failure) -> None:
    if failure.kind == LeaseLost.__name__:
        return  # Another run has taken over the chain: what comes of it is that run's to say.
    services.ledger.errors.record({(sync_id, CHAIN): failure}, window)

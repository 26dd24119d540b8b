"""The end of a window: what its exports delivered is committed, and the manifests are put (D10)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from cio_pipeline.model.failures import Tried
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.attempt import attempt
from cio_pipeline.pipeline.committing.commit import commit
from cio_pipeline.pipeline.committing.put_manifests import Put, put_held, record
from cio_pipeline.pipeline.committing.sweep_spool import sweep_spool
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Written(Tried):
    """What came of one sync's chain: how many files the new manifest lists, or the error."""

    sync_id: str
    ordinal: int | None
    files: int


def commit_window(
    services: Services,
    window: Window,
    sync_ids: Collection[str] | None = None,
    lane: Lane = Lane.ALL,
    feed: Feed | None = None,
) -> tuple[Written, ...]:
    """Commit what was delivered, then put the manifests that lie in no bucket yet.

    Serves the syncs of one feed, or all; of these some, or all. A sync to which nothing was
    delivered gets no manifest. A sync that fails, or whose breaker is open, keeps its manifest in
    the ledger and is recorded; the others go on. Slow ones are left to their lane.
    """
    slow = _slow(services) if lane in {Lane.TICK, Lane.INITIAL} else ()
    wanted = [
        one.sync
        for one in services.ledger.registry.all()
        if feed in {None, one.sync.feed}
        and (sync_ids is None or one.sync.id in sync_ids)
        and one.sync.id not in slow
    ]
    busy = with_work(services, wanted)
    plans = [plan for plan in services.ledger.plans.delivered() if plan.sync_id in busy]
    pairs = [(plan.sync_id, plan.export) for plan in plans] + [(one, CHAIN) for one in sorted(busy)]
    lease, _ = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        mine = {sync_id for sync_id, _ in lease.tokens}
        # Read again under the lease: a sync may have moved, or begun a generation, until then.
        known = services.ledger.registry.all() if mine else ()
        return continue_chains(services, held, window, [o for o in known if o.sync.id in mine])
    finally:
        held.release()
        attempt(lambda: sweep_spool(services))


def _slow(services: Services) -> Collection[str]:
    now = services.clock()
    return {key for key, one in services.ledger.breakers.all().items() if one.slow(now)}


def with_work(services: Services, syncs: Iterable[Sync]) -> set[str]:
    """The ids of syncs that have something to commit, or manifests that their bucket lacks.

    While `manifest` is off, the ledger keeps manifests that wait to be put: they are no work yet.
    """
    by_id = {sync.id: sync for sync in syncs}
    on = [sync_id for sync_id, sync in by_id.items() if sync.manifest]
    delivered = {plan.sync_id for plan in services.ledger.plans.delivered()}
    manifests = services.ledger.manifests
    return {*manifests.to_put(on), *manifests.to_list(list(by_id)), *(delivered & by_id.keys())}


def continue_chains(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> tuple[Written, ...]:
    """The same of syncs of which something is held: the plans that are, and the chains that are."""
    ids = [one.sync.id for one in syncs]
    tokens = held.lease.tokens
    plans = [p for p in services.ledger.plans.delivered() if (p.sync_id, p.export) in tokens]
    void = services.ledger.manifests.to_list(ids)
    listed, failed = commit(services, held.lease, window, plans, listing=void)
    for sync_id, failure in failed.items():
        record(services, window, sync_id, failure)
    ours = [one for one in syncs if one.sync.id not in failed and (one.sync.id, CHAIN) in tokens]
    put = put_held(services, held, window, ours)
    put |= {sync_id: Put(error=failure) for sync_id, failure in failed.items()}
    return tuple(
        Written(key, its.last, listed.get(key, 0), error=its.error)
        for key, its in ((key, put.get(key, Put())) for key in ids)
    )

"""The end of a window: what its exports delivered is committed, and the manifests are put (D10).

Delivered plans of a sync are committed together: with its next manifest, or not at all. What
crashed runs left in the spool is swept: folders of closed plans, and of old restores.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.files.spool import RESTORE
from cio_pipeline.ledger.manifests import Waiting
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.plans import Plan, SealedPlan
from cio_pipeline.model.registry import Lease, RegisteredSync
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.put_manifests import (
    Continued,
    put_held,
    put_manifests,
    record,
)
from cio_pipeline.pipeline.heartbeat import HeldLease, claimed
from cio_pipeline.pipeline.in_parallel import caught, together_or_alone
from cio_pipeline.pipeline.services import Services


def commit_window(
    services: Services,
    window: Window,
    sync_ids: Collection[str] | None = None,
    lane: Lane = Lane.ALL,
    feed: Feed | None = None,
) -> tuple[Continued, ...]:
    """Commit what was delivered, then put the manifests that lie in no bucket yet.

    Serves the syncs of one feed, or all; of these some, or all. A sync to which nothing was
    delivered gets no manifest. A sync that fails, or whose breaker is open, keeps its manifest in
    the ledger and is recorded; the others go on. Slow ones are left to their lane. What a disabled
    sync still lacks is put, too, once its bucket takes it: till then that is nobody's failure.
    """
    shared = lane in {Lane.TICK, Lane.INITIAL}
    breakers, now = services.ledger.breakers.all(), services.clock()
    slow = {sync_id for sync_id, one in breakers.items() if shared and one.slow(now)}
    wanted = [
        one.sync
        for one in services.ledger.registry.all(sync_ids)
        if feed in {None, one.sync.feed} and one.sync.id not in slow
    ]
    waiting = services.ledger.manifests.waiting()
    busy = with_work(wanted, waiting)
    chains = [(sync_id, CHAIN) for sync_id in sorted(busy)]
    pairs = [pair for pair in waiting.delivered if pair[0] in busy] + chains
    try:
        with claimed(services, pairs) as (held, _):
            mine = {sync_id for sync_id, _ in held.lease.tokens}
            # Read again under the lease: a sync may have moved, or begun a generation, until then.
            known = services.ledger.registry.all() if mine else ()
            done = continue_chains(services, held, window, [o for o in known if o.sync.id in mine])
            off = {one.sync.id for one in known if one.disabled_at is not None}
            return tuple(one for one in done if one.error is None or one.sync_id not in off)
    finally:
        caught(lambda: sweep_spool(services))


def with_work(syncs: Iterable[Sync], waiting: Waiting) -> set[str]:
    """The ids of syncs that have something to commit, or manifests that their bucket lacks.

    While `manifest` is off, the ledger keeps manifests that wait to be put: they are no work yet.
    """
    work = {sync_id for sync_id, _ in waiting.delivered} | waiting.void
    return {one.id for one in syncs if one.id in work or (one.manifest and one.id in waiting.unput)}


def continue_chains(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> tuple[Continued, ...]:
    """The same of syncs of which something is held: the plans that are, and the chains that are."""
    ids = [one.sync.id for one in syncs]
    tokens = held.lease.tokens
    plans = [p for p in services.ledger.plans.delivered() if (p.sync_id, p.export) in tokens]
    void = services.ledger.manifests.waiting().void.intersection(ids)
    listed, failed = commit(services, held.lease, window, plans, listing=void)
    for sync_id, failure in failed.items():
        record(services.ledger.failing, window, sync_id, failure)
    ours = [one for one in syncs if one.sync.id not in failed and (one.sync.id, CHAIN) in tokens]
    put = put_held(services, held, window, ours)
    put |= {key: Continued(key, error=failure) for key, failure in failed.items()}
    return tuple(replace(put.get(key, Continued(key)), files=listed.get(key, 0)) for key in ids)


COMMIT_AT_ONCE = 100
"""Syncs per transaction."""


def commit(
    services: Services,
    lease: Lease,
    window: Window,
    plans: Collection[Plan],
    *,
    listing: Collection[str] = (),
) -> tuple[dict[str, int], dict[str, Failure]]:
    """Commit delivered plans that are leased, and list what became void of syncs in `listing`.

    Returns how many files each new manifest lists, and who failed, by sync: of these nothing is
    committed, and the others go on (O8).
    """
    of_sync: dict[str, list[Plan]] = {sync_id: [] for sync_id in sorted(listing)}
    for plan in plans:
        of_sync.setdefault(plan.sync_id, []).append(plan)
    listed: dict[str, int] = {}
    failed: dict[str, Failure] = {}

    def of(sync_ids: Sequence[str]) -> None:
        its = [plan for sync_id in sync_ids for plan in of_sync[sync_id]]
        now = services.clock()
        listed.update(services.ledger.plans.commit(lease, its, window, now, listing=sync_ids))

    syncs = iter(of_sync)
    while some := list(islice(syncs, COMMIT_AT_ONCE)):
        failed.update(together_or_alone(of, some))
    return listed, failed


def commit_slices(
    services: Services, lease: Lease, window: Window, sealed: Sequence[SealedPlan]
) -> dict[str, Failure]:
    """Commit slices of plans that go on, and put their manifests; who failed, by sync."""
    listed, failed = commit(services, lease, window, [one.plan for one in sealed])
    put_manifests(services, window, listed)
    return failed


RESTORE_TAKES = timedelta(days=1)
"""A restore that encodes nothing new for so long has died."""

_OF_PLAN = re.compile(r"([a-z_]+)-([0-9]+)")


def sweep_spool(services: Services, *, idle: bool = False) -> None:
    """Discard folders that neither an unfinished plan, a run under way nor a restore needs.

    A run that dies between delivering and the clearing of its spool leaves them. Folders are
    listed before plans are read: whatever another run is encoding has its plan in the ledger. All
    that a run reads together lies in a folder of one plan, which may be delivered before others.
    With `idle` plans that no run works on lose their files, too: these are encoded again.
    """
    folders = services.spool.folders()
    for name in folders:
        if name.startswith(RESTORE) and services.spool.idle(name) > RESTORE_TAKES:
            services.spool.discard(name)
    found = {name: _OF_PLAN.match(name) for name in folders}
    plans = {name: (m[1], int(m[2])) for name, m in found.items() if m and m[1] in ALL_EXPORTS}
    if not plans:
        return
    states = services.ledger.registry.states({export for export, _ in plans.values()})
    plans_of = [state.open_plan for state in states if state.open_plan]
    holders = services.ledger.leases.holders(services.clock())
    held = {(one.sync_id, one.export) for one in holders}
    unfinished = [
        plan
        for plan in plans_of
        if (plan.sync_id, plan.export) in held or not (plan.is_delivered or idle)
    ]
    needed = {(plan.export, plan.plan_id) for plan in unfinished}
    sealed = services.ledger.plans.sealed(unfinished)
    spooled = {file.spool.partition("/")[0] for files in sealed.values() for file in files}
    swept = [name for name, plan in plans.items() if plan not in needed and name not in spooled]
    for name in swept:
        services.spool.discard(name)

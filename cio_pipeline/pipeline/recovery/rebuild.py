"""Bringing a ledger up to the buckets: one that was lost, or an old backup that came back (D10).

What a manifest lists was delivered and is never sent again. What no manifest lists is not known
to any reader that follows them: its numbers become void and its rows are sent with new ones.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import CioError, LedgerError, ManifestBroken
from cio_pipeline.model.failures import Tried
from cio_pipeline.model.manifests import digest
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.model.recovery import Recovered
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.attempt import attempt
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease, held_by
from cio_pipeline.pipeline.manifests.write_manifests import CHAIN
from cio_pipeline.pipeline.recovery.behind import stop_until_caught_up
from cio_pipeline.pipeline.recovery.bucket_chain import (
    BucketChain,
    accounted_numbers,
    lost_numbers,
    numbers_in_bucket,
    read_chain,
    times_told,
)
from cio_pipeline.pipeline.recovery.delivered_rows import delivered_identities
from cio_pipeline.pipeline.recovery.gone_again import begun_told, first_of, remember_again
from cio_pipeline.pipeline.recovery.listed_plans import initial_under_way, listed_plans
from cio_pipeline.pipeline.recovery.register_again import registration, served_since
from cio_pipeline.pipeline.recovery.settle_cuts import settle_cuts
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.verification.sequences import first_numbers


@dataclass(frozen=True)
class CaughtUp(Tried):
    """What came of one sync: manifests and files taken in, numbers declared void, or the error.

    `up_to` is the oldest position of its exports, None if one still waits for its history.
    """

    sync_id: str
    manifests: int = 0
    files: int = 0
    void: int = 0
    up_to: datetime | None = None


def rebuild(services: Services, syncs: Sequence[Sync]) -> list[CaughtUp]:
    """Fill an empty ledger from the buckets of some syncs, all or nothing.

    Raises LedgerError if the ledger is not empty, ManifestBroken if a bucket's manifests do not
    account for all that was delivered, and the errors of source and destinations.
    """
    if services.ledger.registry.all():
        raise LedgerError(
            "The ledger is not empty: syncs are registered in it.",
            "If it is an old backup, run `cio-pipeline ledger catch-up`. To rebuild it from "
            "nothing, move its file away first.",
        )
    chains = _read_all(services, syncs)
    settle_cuts(services, chains)
    now = services.clock()
    found = [_recovered(services, chain) for chain in chains]
    services.ledger.recovery.rebuild([registration(c, now) for c in chains], found, now)
    return [_told(chain, one) for chain, one in zip(chains, found, strict=True)]


def catch_up(services: Services, sync_ids: Collection[str] | None = None) -> list[CaughtUp]:
    """Bring the registered syncs up to their buckets.

    A sync that fails is left as it was, and stopped: nothing is sent to it until it has caught up.
    Raises LedgerError if none is registered.
    """
    if not services.ledger.registry.all():
        raise LedgerError(
            "No sync is registered in this ledger, so none can catch up.",
            "Make it again from the buckets: `cio-pipeline ledger rebuild --syncs FILE`.",
        )
    syncs = [
        one.sync
        for one in services.ledger.registry.all()
        if sync_ids is None or one.sync.id in sync_ids
    ]
    done: list[CaughtUp] = []
    for sync in syncs:
        results: list[CaughtUp] = []
        failure = attempt(lambda one=sync, to=results: to.append(_catch_up(services, one)))
        if failure is not None:
            results = [CaughtUp(sync.id, error=failure)]
            if not failure.held:
                stop_until_caught_up(services, sync.id, failure.text)
        done += results
    return done


def _catch_up(services: Services, sync: Sync) -> CaughtUp:
    exports = services.ledger.registry.get(sync.id).switches
    pairs = [(sync.id, export) for export in (*exports, CHAIN)]
    lease, busy = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        if busy:
            raise held_by(busy[0])
        chain = read_chain(services.destinations(sync), sync)
        _require_place(services, chain)
        settle_cuts(services, [chain])
        found = _recovered(services, chain)
        services.ledger.recovery.take_in(lease, found, services.clock())
        # Conflicts of an old backup are mended by this.
        close_breaker(services.ledger, sync.id)
    finally:
        held.release()
    return _told(chain, found)


def _require_place(services: Services, chain: BucketChain) -> None:
    """Raise ManifestBroken for a bucket without any manifest, if the ledger itself put some there.

    Where only the last ones are missing, `export --restore` puts them back.
    """
    sync, manifests = chain.sync, services.ledger.manifests
    last = manifests.last(sync.id)
    waiting = [ordinal for _, ordinal, _ in manifests.unput([sync.id])]
    put = min(waiting) - 1 if waiting else last[0] if last else 0
    begins = services.ledger.registry.get(sync.id).first_manifest
    if sync.manifest and put >= begins and not chain.manifests:
        raise ManifestBroken(
            f"The bucket of sync '{sync.id}' holds no manifest, and manifest {put} was put there.",
            "Check that it is the right place, and that its disk is mounted.",
        )


def _read_all(services: Services, syncs: Iterable[Sync]) -> list[BucketChain]:
    chains: list[BucketChain] = []
    broken: list[str] = []
    for sync in syncs:
        try:
            chains.append(read_chain(services.destinations(sync), sync))
        except CioError as error:
            broken.append(str(error))
    if broken:
        raise ManifestBroken(
            "\n".join(["The ledger cannot be rebuilt from these buckets:", *broken]),
            "Nothing was stored. Mend them, or leave those syncs out of the file.",
        )
    return chains


def _recovered(services: Services, chain: BucketChain) -> Recovered:
    """What a chain tells beyond what the ledger holds of the sync."""
    first = _first_new(services, chain)
    cuts = {at: _cut(services, at) for at in times_told(chain)}
    under_way = initial_under_way(chain, cuts)
    kept = frozenset(one.draft.export for one in under_way) | _with_slices(services, chain)
    plans = [
        plan
        for plan in begun_told(services, chain, listed_plans(chain, first, cuts))
        if not (plan.draft.mode is Mode.INITIAL and plan.draft.export in kept)
    ]
    new = [(manifest, body) for manifest, body in chain.manifests if manifest.ordinal >= first]
    numbers, accounted = numbers_in_bucket(chain), accounted_numbers(chain)
    _add_own(services, chain.sync.id, accounted)
    began = first_of(chain, cuts, plans)
    remember_again(services, [*began, *(one.draft for one in under_way)])
    # What is kept goes on with its own numbers, and gives the same bytes again.
    begun = first_numbers(manifest for manifest, _ in chain.manifests)
    lost = [one for one in lost_numbers(numbers, accounted, begun) if one.export not in kept]
    used = [(key, max(found)) for key, found in accounted.items()]
    used += [(key, number - 1) for key, number in begun.items()]
    used += [((void.export, void.series), void.sequence) for void in lost]
    return Recovered(
        sync_id=chain.sync.id,
        created_at=served_since(chain, services.clock()),
        generation=chain.generation,
        first_manifest=chain.first,
        manifests=tuple((manifest.ordinal, body) for manifest, body in new),
        plans=tuple(plans),
        under_way=under_way,
        kept=kept,
        void=tuple((manifest.ordinal, void) for manifest, _ in new for void in manifest.void),
        # A ledger that has the last manifest knows at least where exports stood then, and which
        # ones were to begin again since.
        positions={s.export: cuts[s.position] for s in chain.statuses if s.position and new},
        next=_next(used),
        lost=tuple(lost),
        sent=delivered_identities(services, chain.sync, plans),
    )


def _with_slices(services: Services, chain: BucketChain) -> frozenset[str]:
    """Exports whose initial export is under way for the ledger, and not done for the bucket."""
    sync_id = chain.sync.id
    if all(one.sync.id != sync_id for one in services.ledger.registry.all()):
        return frozenset()
    done = {status.export for status in chain.statuses if status.position is not None}
    states = services.ledger.registry.states(list(ALL_EXPORTS), [sync_id])
    begun = {one.export for one in states if one.open_plan and one.open_plan.slice}
    return frozenset(begun - done)


def _first_new(services: Services, chain: BucketChain) -> int:
    """The first manifest of a chain that the ledger does not hold with the same bytes."""
    stored = services.ledger.manifests.digests(chain.sync.id)
    for manifest, body in chain.manifests:
        if stored.get(manifest.ordinal) != digest(body):
            return manifest.ordinal
    return chain.first + len(chain.manifests)


def _cut(services: Services, at: datetime) -> Cut:
    cut = services.ledger.cuts.get(at)
    assert cut is not None  # noqa: S101 - settled before
    return cut


def _add_own(
    services: Services, sync_id: str, accounted: dict[tuple[str, Series], set[int]]
) -> None:
    """Numbers that the ledger itself accounts for, though no manifest in the bucket does yet."""
    files, void = services.ledger.manifests.pending([sync_id]).get(sync_id, ((), ()))
    for one in (*services.ledger.manifests.files(sync_id), *files, *void):
        accounted.setdefault((one.export, one.series), set()).add(one.sequence)


def _next(used: Iterable[tuple[tuple[str, Series], int]]) -> dict[tuple[str, Series], int]:
    found: dict[tuple[str, Series], int] = {}
    for key, number in used:
        found[key] = max(found.get(key, 1), number + 1)
    return found


def _told(chain: BucketChain, found: Recovered) -> CaughtUp:
    positions = [status.position for status in chain.statuses if status.state != "paused"]
    times = [at for at in positions if at is not None]
    return CaughtUp(
        sync_id=chain.sync.id,
        manifests=len(found.manifests),
        files=sum(len(plan.files) for plan in found.plans),
        void=len(found.lost),
        up_to=min(times) if times and len(times) == len(positions) else None,
    )

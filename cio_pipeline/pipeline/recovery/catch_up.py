"""Bringing a ledger up to the buckets: one that was lost, or an old backup that came back (D10).

What a manifest lists was delivered and is never sent again. What no manifest lists is not known
to any reader that follows them: its numbers become void and its rows are sent with new ones. A
ledger that holds all manifests of a bucket is the right one; else the bucket is, from the first
manifest on that the ledger does not hold.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.ledger.cuts import Cuts
from cio_pipeline.ledger.manifests import Manifests
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import CioError, LedgerError, ManifestBroken
from cio_pipeline.model.failures import Tried
from cio_pipeline.model.manifests import CHAIN, digest
from cio_pipeline.model.plans import Series
from cio_pipeline.model.recovery import Recovered
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import Clock
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.feeds.maker import Numbers
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease, held_by
from cio_pipeline.pipeline.in_parallel import caught
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
from cio_pipeline.pipeline.recovery.gone_again import (
    begun_told,
    first_of,
    remember_again,
    rewritten,
    stay_erased,
)
from cio_pipeline.pipeline.recovery.listed_plans import listed_plans, under_way
from cio_pipeline.pipeline.recovery.register_again import registration, served_since
from cio_pipeline.pipeline.recovery.settle_cuts import settle_cuts
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destinations
from cio_pipeline.verification.sequences import first_numbers


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
    chains = _read_all(services.destinations, syncs)
    settle_cuts(services, chains)
    now, manifests = services.clock(), services.ledger.manifests
    erased = {chain.sync.workspace_id for chain in chains if rewritten(chain)}
    found = [_recovered(services, chain, _since(manifests, chain), erased) for chain in chains]
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
    services = services.with_lost()  # A place that is gone is told by what was put there.
    syncs = [one.sync for one in services.ledger.registry.all(sync_ids)]
    done: list[CaughtUp] = []

    @cache
    def may_be(sync_id: str) -> bool:
        return _may_be_rewritten(services, sync_id)

    for sync in syncs:
        results: list[CaughtUp] = []
        failure = caught(lambda one=sync, to=results: to.append(_catch_up(services, one, may_be)))
        if failure is not None:
            results = [CaughtUp(sync.id, error=failure)]
            if not failure.held:
                stop_until_caught_up(services, sync.id, failure.text)
        done += results
    return done


def _may_be_rewritten(services: Services, sync_id: str) -> bool:
    """Whether a bucket has files that were rewritten since what the ledger knows, or is away."""
    sync = services.ledger.registry.get(sync_id).sync
    try:
        chain = read_chain(services.destinations(sync), sync)
        _require_place(services.ledger, chain)
    except CioError:
        return True
    since = _since(services.ledger.manifests, chain)
    return since is not None and rewritten(chain, since)


def _catch_up(services: Services, sync: Sync, may_be: Callable[[str], bool]) -> CaughtUp:
    exports = services.ledger.registry.get(sync.id).switches
    pairs = [(sync.id, export) for export in (*exports, CHAIN)]
    lease, busy = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        if busy:
            raise held_by(busy[0])
        chain = read_chain(services.destinations(sync), sync)
        _require_place(services.ledger, chain)
        since = _since(services.ledger.manifests, chain)
        if since is not None:
            settle_cuts(services, [chain])
        beside = [
            one.sync.id
            for one in services.ledger.registry.all()
            if one.sync.workspace_id == sync.workspace_id
            and one.sync.id != sync.id
            and one.sync.manifest
        ]
        erased = {sync.workspace_id} if any(may_be(one) for one in beside) else set[int]()
        found = _recovered(services, chain, since, erased)
        services.ledger.recovery.take_in(lease, found, services.clock())
        # Conflicts of an old backup are mended by this.
        close_breaker(services.ledger, sync.id)
    finally:
        held.release()
    return _told(chain, found)


def _require_place(ledger: Ledger, chain: BucketChain) -> None:
    """Raise ManifestBroken for a bucket without any manifest, if the ledger itself put some there.

    Where only the last ones are missing, `export --restore` puts them back.
    """
    sync, manifests = chain.sync, ledger.manifests
    last = manifests.last(sync.id)
    waiting = [ordinal for _, ordinal, _ in manifests.unput([sync.id])]
    put = min(waiting) - 1 if waiting else last[0] if last else 0
    begins = ledger.registry.get(sync.id).first_manifest
    if sync.manifest and put >= begins and not chain.manifests:
        raise ManifestBroken(
            f"The bucket of sync '{sync.id}' holds no manifest, and manifest {put} was put there.",
            "Check that it is the right place, and that its disk is mounted.",
        )


def _read_all(destinations: Destinations, syncs: Iterable[Sync]) -> list[BucketChain]:
    chains: list[BucketChain] = []
    broken: list[str] = []
    for sync in syncs:
        try:
            chains.append(read_chain(destinations(sync), sync))
        except CioError as error:
            broken.append(str(error))
    if broken:
        raise ManifestBroken(
            "\n".join(["The ledger cannot be rebuilt from these buckets:", *broken]),
            "Nothing was stored. Mend them, or leave those syncs out of the file.",
        )
    return chains


def _recovered(
    services: Services, chain: BucketChain, since: int | None, erased: Collection[int] = ()
) -> Recovered:
    """What a chain tells beyond what the ledger holds; others tell who has `erased` people."""
    states = _states(services.ledger.registry, chain.sync.id)
    if since is None:
        if chain.sync.workspace_id in erased:
            stay_erased(services, chain, ())
        return _known_already(services.clock, chain, states)
    cuts = {at: _cut(services.ledger.cuts, at) for at in times_told(chain)}
    listed = begun_told(services, chain, listed_plans(chain, chain.first, cuts))
    going = under_way(chain, listed, cuts)
    going_on = {one.draft.export for one in going}
    begun = {file.key for one in going for _, file in one.files}
    plans = [
        plan
        for plan in listed
        if plan.ordinal >= since and begun.isdisjoint(file.key for file in plan.files)
    ]
    remember_again(services, [*first_of(chain, cuts, plans), *(one.draft for one in going)])
    new = [(manifest, body) for manifest, body in chain.manifests if manifest.ordinal >= since]
    if chain.sync.workspace_id in erased or rewritten(chain, since):
        stay_erased(services, chain, listed)
    used = {key: {number - 1} for key, number in _numbers(states)}
    return replace(
        _numbered(services.clock, chain, used=used, going_on=going_on),
        since=since,
        manifests=tuple((manifest.ordinal, body) for manifest, body in new),
        plans=tuple(plans),
        under_way=going,
        void=tuple((manifest.ordinal, void) for manifest, _ in new for void in manifest.void),
        superseded=tuple(
            (manifest.ordinal, one) for manifest, _ in new for one in manifest.superseded
        ),
        positions={s.export: cuts[s.position] for s in chain.statuses if s.position},
        sent=delivered_identities(services, chain.sync, plans),
    )


def _known_already(clock: Clock, chain: BucketChain, states: Sequence[ExportState]) -> Recovered:
    """Nothing new: unfinished plans go on with their own numbers."""
    own = {key: set(range(1, number)) for key, number in _numbers(states)}
    going_on = {state.export for state in states if state.open_plan}
    return _numbered(clock, chain, accounted=own, going_on=going_on)


def _numbered(
    clock: Clock,
    chain: BucketChain,
    *,
    used: Numbers | None = None,
    accounted: Numbers | None = None,
    going_on: Collection[str],
) -> Recovered:
    """The numbers that become void, and those that come next.

    Numbers of the bucket's objects, and others that are `used`, are lost unless the chain, or
    somebody else, has `accounted` for them. What goes on does so with its own numbers.
    """
    known, begun = accounted_numbers(chain), first_numbers(m for m, _ in chain.manifests)
    for key, numbers in (accounted or {}).items():
        known.setdefault(key, set()).update(numbers)
    found = dict(numbers_in_bucket(chain))
    for key, numbers in (used or {}).items():
        found.setdefault(key, set()).update(numbers)
    lost = [one for one in lost_numbers(found, known, begun) if one.export not in going_on]
    taken = [(key, max(numbers, default=0)) for key, numbers in known.items()]
    taken += [(key, number - 1) for key, number in begun.items()]
    taken += [((void.export, void.series), void.sequence) for void in lost]
    return Recovered(
        sync_id=chain.sync.id,
        created_at=served_since(chain, clock()),
        generation=chain.generation,
        first_manifest=chain.first,
        next=_next(taken),
        lost=tuple(lost),
    )


def _states(registry: Registry, sync_id: str) -> Sequence[ExportState]:
    """Where the exports of a sync stand; none if it is not registered."""
    if all(one.sync.id != sync_id for one in registry.all()):
        return ()
    return registry.states(list(ALL_EXPORTS), [sync_id])


def _numbers(states: Iterable[ExportState]) -> Iterator[tuple[tuple[str, Series], int]]:
    """The lowest number never used of every series."""
    for state in states:
        for series, number in state.next_sequence.items():
            yield (state.export, series), number


def _since(manifests: Manifests, chain: BucketChain) -> int | None:
    """The first manifest of a chain that the ledger does not hold with the same bytes, if any."""
    stored = manifests.digests(chain.sync.id)
    differ = (m.ordinal for m, body in chain.manifests if stored.get(m.ordinal) != digest(body))
    return next(differ, None)


def _cut(cuts: Cuts, at: datetime) -> Cut:
    cut = cuts.get(at)
    assert cut is not None  # noqa: S101 - settled before
    return cut


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

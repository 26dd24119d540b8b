"""Putting committed objects back that are missing in a bucket or were altered there.

Only bytes with the digest that the ledger holds are put: from the spool if they still lie there,
else encoded again from the source at the plan's cuts. An altered object is removed first, and
only once its replacement is at hand.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import CioError, DigestMismatch, LedgerError
from cio_pipeline.model.failures import Failure, Tried
from cio_pipeline.model.manifests import CHAIN, manifest_key
from cio_pipeline.model.recovery import Looked
from cio_pipeline.model.registry import Lease, Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.feeds.maker import PutAgain
from cio_pipeline.pipeline.heartbeat import all_claimed, claimed, held_by
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.recovery.damaged import (
    Damage,
    DamagedFile,
    damaged_files,
    damaged_manifests,
    last_numbers,
    look,
)
from cio_pipeline.pipeline.recovery.encode_again import Group, encoded_again, spooled
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


@dataclass(frozen=True)
class Restored(Tried):
    """An object that was missing or altered; it lies there again unless there is an error.

    `export` is "manifest" for manifests. Without a key, the error is that of the whole sync.
    """

    sync_id: str
    export: str
    key: str
    damage: Damage | None = None
    rows: int = 0
    bytes: int = 0


RESTORE = "restore"
"""What is leased of a sync while something of it is put back: nobody purges or moves it then."""


@contextmanager
def _restoring(
    services: Services, sync_ids: Collection[str] | None
) -> Generator[tuple[list[Sync], list[Restored]]]:
    """The syncs, none of which anybody else restores or changes; and those that are held."""
    pairs = [(sync.id, RESTORE) for sync in _syncs(services.ledger.registry, sync_ids)]
    with claimed(services, pairs) as (held, busy):
        others = [Restored(one.sync_id, "", "", error=Failure.of(held_by(one))) for one in busy]
        # Read again under the lease: a sync may have moved until then.
        syncs = _syncs(services.ledger.registry, sync_ids)
        yield [sync for sync in syncs if (sync.id, RESTORE) in held.lease.tokens], others


def restore(
    services: Services,
    sync_ids: Collection[str] | None = None,
    windows: Collection[Window] | None = None,
    exports: Collection[str] | None = None,
    look: Callable[[Services, Sync], Looked] = look,
) -> tuple[Restored, ...]:
    """Put back files of some syncs, of some windows or of all; one that fails never stops the rest.

    The bucket and the history of each sync are read once (`look`). Files that readers were to
    delete (`files_expire_after`) are no loss and stay away.
    """
    services = services.with_lost()
    damaged: list[DamagedFile] = []

    def find(sync: Sync) -> None:
        seen = look(services, sync)
        damaged.extend(damaged_files(services, sync, windows, exports, seen))

    with _restoring(services, sync_ids) as (syncs, done):
        for sync in syncs:
            failure = caught(partial(find, sync))
            if failure is not None:
                done.append(Restored(sync.id, "", "", error=failure))
        return (*done, *put_back(services, damaged))


def restore_manifests(
    services: Services, sync_ids: Collection[str] | None = None
) -> tuple[Restored, ...]:
    """Put back manifests of some syncs, with the bytes that the ledger holds."""
    services = services.with_lost()
    with _restoring(services, sync_ids) as (syncs, done):
        for sync in syncs:
            failure = caught(lambda one=sync: done.extend(_manifests_of(services, one)))
            if failure is not None:
                done.append(Restored(sync.id, CHAIN, "", error=failure))
        return tuple(done)


def restore_export(services: Services, export: str, window: Window, scope: Scope) -> Batch:
    """Restore one export of a window, as a batch that has nothing left to be delivered."""
    found = restore(services, scope.sync_ids, [window], [export], _once_a_run)
    known = tuple(_outcomes(services.ledger.registry, export, found))
    nothing = Lease(services.owner, services.clock(), {})
    return Batch(export, window, decide_cut(services, window.end), nothing, (), known=known)


def _once_a_run(services: Services, sync: Sync) -> Looked:
    """What one of the run's exports saw, unless the sync was purged or moved since."""
    known = services.ledger.registry.get(sync.id)
    of = (services.owner, known.generation, known.first_manifest)
    found = services.looked.get(sync.id)
    if found is None or found[0] != of:
        found = services.looked[sync.id] = (of, look(services, sync))
    return found[1]


def _outcomes(registry: Registry, export: str, found: Sequence[Restored]) -> Iterator[Outcome]:
    workspaces = {one.sync.id: one.sync.workspace_id for one in registry.all()}
    for sync_id in sorted({one.sync_id for one in found}):
        of_sync = [one for one in found if one.sync_id == sync_id]
        whole = [one for one in of_sync if one.error is None]
        yield Outcome(
            sync_id=sync_id,
            export=export,
            workspace_id=workspaces[sync_id],
            mode=None,
            rows=sum(one.rows for one in whole),
            files=len(whole),
            bytes=sum(one.bytes for one in whole),
            error=next((one.error for one in of_sync if one.error is not None), None),
        )


def _syncs(registry: Registry, sync_ids: Collection[str] | None) -> list[Sync]:
    return [one.sync for one in registry.all(sync_ids)]


def _manifests_of(services: Services, sync: Sync) -> Iterator[Restored]:
    destination = services.destinations(sync)
    for one in damaged_manifests(services, sync):
        key = manifest_key(one.ordinal)
        if not one.body:
            yield Restored(sync.id, CHAIN, key, one.damage, error=Failure.of(_pruned(key)))
            continue
        _make_room(destination, key, one.damage)
        destination.put_bytes(key, one.body)
        yield Restored(sync.id, CHAIN, key, one.damage, bytes=len(one.body))


def _pruned(key: str) -> LedgerError:
    return LedgerError(
        f"The ledger no longer holds {key}: it lay in the bucket for long, and was pruned.",
        "Bring it back from the bucket's own versions or backups.",
    )


def put_back(services: Services, damaged: Collection[DamagedFile]) -> list[Restored]:
    """Put files that still lie in the spool, and encode the others again; none found is named."""
    done: list[Restored] = []
    rest: list[DamagedFile] = []
    erased = {sync_id: services.ledger.rewrites.keys(sync_id) for sync_id in _ids(damaged)}
    for one in damaged:
        if one.file.key in erased[one.committed.sealed.plan.sync_id]:
            done.append(_failed(one, _erased(one)))
            continue
        put = spooled(services.spool, one)
        if put is None:
            rest.append(one)
        else:
            done.append(_put(services, one, put))
    for group in encoded_again(services, rest):
        try:
            with _unreplaced(services, group, done):
                for one, again in group.found():
                    restored = _put(services, one, again)
                    done.append(restored)
        except CioError as error:
            done += [_failed(one, error) for one in group.missing]
        else:
            done += [_failed(one, _other_bytes(one)) for one in group.missing]
    return done


def _ids(damaged: Iterable[DamagedFile]) -> set[str]:
    return {one.committed.sealed.plan.sync_id for one in damaged}


def _erased(one: DamagedFile) -> LedgerError:
    return LedgerError(
        f"{one.file.key} was rewritten when a person was erased, or was gone then: what it held "
        "before is not put back.",
        "If the erasure was broken off, do it again. Otherwise leave it away, or take it from the "
        "bucket's own versions.",
    )


@contextmanager
def _unreplaced(services: Services, group: Group, done: list[Restored]) -> Generator[None]:
    """Keep runs from putting later objects with the keys of a group; nothing where none can be.

    What a run has replaced since it was looked at is there: `done`.
    """
    plan = group.cohort.model
    if not facts_of(plan.export).overwrites:
        yield
        return
    with all_claimed(services, [(plan.sync_id, plan.export)]):
        last = last_numbers(services, services.ledger.registry.get(plan.sync_id).sync)
        for one in list(group.missing):
            if last.get(one.file.key) != one.file.sequence:
                group.missing.remove(one)
                done.append(_described(one))
        yield


def _other_bytes(one: DamagedFile) -> DigestMismatch:
    return DigestMismatch(
        f"Encoded again, {one.file.key} has other bytes than were delivered.",
        "Run with the versions of Polars and cio-pipeline that delivered it, on an unaltered "
        "source.",
    )


def _failed(one: DamagedFile, error: CioError) -> Restored:
    return replace(_described(one), error=Failure.of(error))


def _described(one: DamagedFile) -> Restored:
    plan = one.committed.sealed.plan
    return Restored(
        plan.sync_id, plan.export, one.file.key, one.damage, one.file.rows, one.file.bytes
    )


def _put(services: Services, one: DamagedFile, again: PutAgain) -> Restored:
    sync = services.ledger.registry.get(one.committed.sealed.plan.sync_id).sync

    def put() -> None:
        destination = services.destinations(sync)
        if not sync.feed.facts.overwrites:
            _make_room(destination, one.file.key, one.damage)
        again(destination)

    return replace(_described(one), error=caught(put))


def _make_room(destination: Destination, key: str, damage: Damage) -> None:
    """Remove what lies under a key of ours with other bytes: puts never overwrite."""
    if damage is Damage.ALTERED:
        destination.delete(key)

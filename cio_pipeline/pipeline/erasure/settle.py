"""Files on record as to be rewritten: put in place, then told by the next manifest (D10).

What a run that died has left is gone on with here: a file lies there as it was, or as it is to be.
"""

from collections.abc import Collection, Iterable

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.erasure import Rewrite
from cio_pipeline.model.errors import CioError, ObjectConflict, ObjectMissing
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.registry import Pair, RegisteredSync
from cio_pipeline.model.windows import last_closed_window
from cio_pipeline.pipeline.committing.put_manifests import put_manifests
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.recovery.restore import RESTORE
from cio_pipeline.pipeline.services import Services


def replace_file(services: Services, held: HeldLease, one: Rewrite) -> None:
    """Write a file that is on record in place of what lies there; raises the store's errors."""
    sync = services.ledger.registry.get(one.sync_id).sync
    held.recheck(next(pair for pair in held.lease.tokens if pair[0] == one.sync_id))
    services.destinations(sync).replace(one.key, services.spool.path(one.spool), one.sha256)


def settle(services: Services, held: HeldLease, sync_ids: Collection[str]) -> None:
    """Finish what is on record of some syncs, all of whose leases are held.

    What lies there as it was, and cannot be finished since the spool has lost it, is forgotten: it
    is found again. Raises ObjectConflict for a file that is neither, and the stores' errors.
    """
    done = [
        one
        for one in services.ledger.rewrites.under_way(sync_ids)
        if _finished(services, held, one)
    ]
    if done:
        services.ledger.rewrites.commit(held.lease, done, services.clock())
    window = last_closed_window(services.clock(), Cadence.QUARTER_HOUR)
    put_manifests(services, window, sync_ids)


def finish_erasures(services: Services) -> dict[str, str]:
    """Finish what erasures that died have left, with no person to look for; who failed, and why."""
    rest = {one.sync_id for one in services.ledger.rewrites.under_way(None)}
    failed: dict[str, str] = {}
    for known in (one for one in services.ledger.registry.all() if one.sync.id in rest):
        try:
            with all_claimed(services, pairs_of([known])) as held:
                settle(services, held, [known.sync.id])
        except CioError as error:
            failed[known.sync.id] = str(error)
    return failed


def pairs_of(known: Iterable[RegisteredSync]) -> list[Pair]:
    """What an erasure holds: nobody restores, purges, or puts a message over one of its files."""
    return [
        (one.sync.id, export)
        for one in known
        for export in (RESTORE, *(e for e in one.switches if facts_of(e).overwrites))
    ]


def _finished(services: Services, held: HeldLease, one: Rewrite) -> bool:
    sync = services.ledger.registry.get(one.sync_id).sync
    try:
        lies = services.destinations(sync).sha256(one.key)
    except ObjectMissing:
        return True  # Told nevertheless: nothing may put back what lay there before.
    if lies == one.sha256:
        return True
    if lies != one.before:
        raise ObjectConflict(
            f"{one.key} of sync '{one.sync_id}' is neither what was delivered nor what it becomes.",
            "Find out who altered it, and mend or remove it.",
        )
    if not _spooled(services, one):
        services.ledger.rewrites.forget(held.lease, one)
        return False
    replace_file(services, held, one)
    return True


def _spooled(services: Services, one: Rewrite) -> bool:
    try:
        return sha256_of(services.spool.path(one.spool)) == one.sha256
    except (CioError, OSError):
        return False

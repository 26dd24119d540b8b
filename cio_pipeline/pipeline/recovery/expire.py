"""Deleting delivered files that are old, or that their reader has acknowledged; manifests stay."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from cio_pipeline.contracts.feeds import exports_of_sync
from cio_pipeline.model.failures import Failure, Tried
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.sync import Sync, days
from cio_pipeline.pipeline.heartbeat import claimed, held_by
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.recovery.restore import RESTORE
from cio_pipeline.pipeline.services import Services

AT_ONCE = 8
"""Files of a sync that are deleted at a time."""


@dataclass(frozen=True)
class Expired(Tried):
    """What was deleted of one sync, or would be; `left` are keys with something else under them.

    `acknowledged` is the manifest that its reader has loaded, None if none tells.
    """

    sync_id: str
    files: int = 0
    bytes: int = 0
    acknowledged: int | None = None
    left: tuple[str, ...] = ()


def expire(
    services: Services, sync_ids: Collection[str] | None = None, *, dry_run: bool = False
) -> tuple[Expired, ...]:
    """Delete what each sync's file says that it no longer keeps; one that fails stops no other.

    Needs the right to delete; a missing one is named.
    """
    syncs = [
        one.sync
        for one in services.ledger.registry.all(sync_ids)
        if one.sync.expire_delivered_after or one.sync.expire_acknowledged_after
    ]
    done: list[Expired] = []
    with claimed(services, _pairs(syncs)) as (_, busy):
        at_work = {one.sync_id: one for one in busy}
        done += [Expired(key, error=Failure.of(held_by(one))) for key, one in at_work.items()]
        for sync in (one for one in syncs if one.id not in at_work):
            found: list[Expired] = []
            failure = caught(
                lambda one=sync, to=found: to.append(_expire(services, one, dry_run=dry_run))
            )
            done += [Expired(sync.id, error=failure)] if failure else found
    return tuple(done)


def _pairs(syncs: Iterable[Sync]) -> list[Pair]:
    """Nobody restores or purges meanwhile, nor puts a message over one that has expired."""
    return [
        (sync.id, export)
        for sync in syncs
        for export in (RESTORE, *(exports_of_sync(sync) if sync.feed.facts.overwrites else ()))
    ]


def _expire(services: Services, sync: Sync, *, dry_run: bool) -> Expired:
    now, told = services.clock(), None
    before = _ago(now, sync.expire_delivered_after)
    up_to = None
    if sync.expire_acknowledged_after:
        told = acknowledged(services, sync)
        grace = now - timedelta(days=days(sync.expire_acknowledged_after))
        up_to = None if told is None else (told, grace)
    destination = services.destinations(sync)
    sizes = {one.key: one.size for one in destination.list()}
    known = services.ledger.manifests.expired(sync.id, before, up_to)
    there = [one for one in known if one.key in sizes]
    ours = [one for one in there if sizes[one.key] == one.size]
    if not dry_run:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="expire") as pool:
            list(pool.map(destination.delete, [one.key for one in ours]))
    return Expired(
        sync.id,
        files=len(ours),
        bytes=sum(one.size for one in ours),
        acknowledged=told,
        left=tuple(one.key for one in there if sizes[one.key] != one.size),
    )


def _ago(now: datetime, told: str | None) -> datetime | None:
    return now - timedelta(days=days(told)) if told else None

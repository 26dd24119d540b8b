"""A look into some buckets a window: each sync's turn comes once a day, of few at every window.

One listing a sync, of the days' folders where files lie dated, and up to LISTED objects; what lies
beyond is `verify`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from math import ceil

from cio_pipeline.model.errors import CioError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.looks import BucketLook
from cio_pipeline.model.manifests import Manifest, parse_manifest
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.volumes import DAY
from cio_pipeline.monitoring.missing import (
    gaps_of,
    listed_twice,
    missing_files,
    missing_manifests,
)
from cio_pipeline.pipeline.in_parallel import in_parallel
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination

AT_LEAST = 10
"""Buckets that are looked into in each window, however few syncs there are."""

LISTED = 10_000
"""Objects of a listing that are looked at."""

MANIFESTS = 100
"""The latest manifests of a sync whose files are looked for."""

PATIENCE = 30.0
"""Seconds that a bucket is waited for; whoever does not answer is looked at another time."""

KEPT = 20
"""Names of missing files that are remembered."""


def look(
    services: Services,
    feed: Feed,
    syncs: Mapping[str, RegisteredSync],
    *,
    everywhere: bool = False,
) -> Mapping[str, BucketLook]:
    """Look into the buckets whose turn it is, or `everywhere`; the last look of each sync."""
    services, known = services.with_lost(), services.ledger.looks.buckets()
    able = [one for one in syncs.values() if _can_be_listed(one.sync)]
    turn = sorted(
        able,
        key=lambda one: known[one.sync.id].looked_at if one.sync.id in known else one.created_at,
    )
    chosen = turn if everywhere else turn[: max(AT_LEAST, ceil(len(able) * (feed.length / DAY)))]

    def looked(one: RegisteredSync) -> BucketLook | None:
        try:
            return _looked(services, one, known.get(one.sync.id))
        except CioError:
            return None

    # Who does not answer has had its turn, too: else a few would take those of all others.
    news = {one.sync.id: _turned(one, known.get(one.sync.id), services.clock()) for one in chosen}
    for one, found, _ in in_parallel(looked, chosen, services.threads, PATIENCE):
        if found is not None:
            news[one.sync.id] = found
    services.ledger.looks.keep_buckets(list(news.values()))
    return {**known, **news}


def _turned(one: RegisteredSync, before: BucketLook | None, now: datetime) -> BucketLook:
    """What is known of a bucket that did not answer: what was known before."""
    return replace(before or BucketLook(one.sync.id, now, 1, 0), looked_at=now)


def _can_be_listed(sync: Sync) -> bool:
    return sync.manifest and not sync.feed.facts.overwrites


def _looked(services: Services, one: RegisteredSync, before: BucketLook | None) -> BucketLook:
    sync, now = one.sync, services.clock()
    after = before.ordinal - 1 if before else 0
    bodies = services.ledger.looks.bodies(sync.id, after, MANIFESTS)
    manifests = [parse_manifest(body) for _, body in bodies]
    last = bodies[-1][0] if bodies else after + 1
    expired = now - timedelta(days=sync.expire_days) if sync.expire_days else None
    lost: list[str] = []
    if any(manifest.files for manifest in manifests):
        there, upto = _listed(services.destinations(sync), manifests)
        told = acknowledged(services, sync) if sync.expire_acknowledged_after else None
        kept = [one for one in manifests if one.ordinal > (told or 0)]
        lost = [file.key for file in missing_files(kept, there, upto, expired)]
        # Where files lie dated, the days' folders alone were listed.
        if any("/" not in file.key for one in manifests for file in one.files):
            lost += missing_manifests(kept, there, upto, expired)
    found = BucketLook(
        sync.id,
        now,
        last,
        len(lost),
        tuple(lost[:KEPT]),
        tuple(gaps_of(manifests)[:KEPT]),
        tuple(listed_twice(sync, manifests)[:KEPT]),
    )
    # What is odd is looked at again until it is in order, or too old.
    return found if found.in_order else replace(found, ordinal=after + 1)


def _listed(destination: Destination, manifests: Sequence[Manifest]) -> tuple[set[str], str | None]:
    """The keys in the folders of listed files, and up to which key: None if these are all."""
    folders = {file.key.rpartition("/")[0] for one in manifests for file in one.files}
    found: set[str] = set()
    # In the order of keys: what lies in a-b/ comes before what lies in a/.
    for folder in sorted(folders, key=lambda one: f"{one}/" if one else ""):
        objects = islice(destination.list(folder), LISTED - len(found))
        found.update(one.key for one in objects)
        if len(found) >= LISTED:
            return found, max(found)
    return found, None

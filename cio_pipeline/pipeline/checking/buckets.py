"""What is odd in buckets: files gone, numbers with gaps, readers that are behind (O1, D5)."""

from collections.abc import Iterator

from cio_pipeline.model.findings import Finding
from cio_pipeline.model.looks import BucketLook
from cio_pipeline.model.sync import Sync
from cio_pipeline.monitoring.acknowledging import Backlog, unacknowledged
from cio_pipeline.monitoring.missing import told_missing, told_odd
from cio_pipeline.pipeline.checking.bucket_looks import PATIENCE
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.pipeline.in_parallel import caught, in_parallel
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.services import Services


def missing(scene: Scene) -> Iterator[Finding]:
    """Files that were not there at the last look, now or at most a day ago."""
    for one in _looks(scene):
        if one.missing:
            yield told_missing(one, scene.syncs[one.sync_id].sync)


def sequences(scene: Scene) -> Iterator[Finding]:
    """Gaps and repeats in the numbers of the files that were looked for."""
    for one in _looks(scene):
        yield from told_odd(one, scene.syncs[one.sync_id].sync)


def _looks(scene: Scene) -> list[BucketLook]:
    return [one for key, one in sorted(scene.looks.items()) if key in scene.syncs]


def backlogs(scene: Scene) -> Iterator[Finding]:
    """Syncs whose reader is behind with acknowledging; one small read of each bucket."""
    syncs = {key: one.sync for key, one in scene.syncs.items() if one.sync.acknowledge_within}
    silent = Backlog(None, 0, None, "the bucket does not answer.")
    found = dict.fromkeys(syncs, silent)
    at = scene.services
    for sync, backlog, _ in in_parallel(
        lambda one: _backlog(at, one), list(syncs.values()), at.threads, PATIENCE
    ):
        found[sync.id] = backlog
    return unacknowledged(found, syncs, scene.now)


def _backlog(services: Services, sync: Sync) -> Backlog:
    told: list[int | None] = []
    failure = caught(lambda: told.append(acknowledged(services, sync)))
    if failure is not None:
        return Backlog(None, 0, None, failure.text)
    (ordinal,) = told
    return Backlog(ordinal, *services.ledger.manifests.waiting_since(sync.id, ordinal or 0))

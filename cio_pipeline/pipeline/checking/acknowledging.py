"""What readers have acknowledged, by an object of theirs in the bucket."""

from collections.abc import Iterator

from cio_pipeline.model.errors import CioError
from cio_pipeline.model.findings import Finding
from cio_pipeline.model.sync import Sync
from cio_pipeline.monitoring.acknowledging import Backlog, unacknowledged
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.services import Services


def backlogs(scene: Scene) -> Iterator[Finding]:
    """Syncs whose reader is behind with acknowledging; one small read of each bucket."""
    syncs = {key: one.sync for key, one in scene.syncs.items() if one.sync.acknowledge_within}
    found = {key: _backlog(scene.services, sync) for key, sync in syncs.items()}
    return unacknowledged(found, syncs, scene.now)


def _backlog(services: Services, sync: Sync) -> Backlog:
    try:
        told = acknowledged(services, sync)
    except CioError as error:
        return Backlog(None, 0, None, str(error))
    return Backlog(told, *services.ledger.manifests.waiting_since(sync.id, told or 0))

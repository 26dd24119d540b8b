"""What a sync's reader tells that it has loaded, in an object of its own."""

from cio_pipeline.model.errors import ObjectMissing
from cio_pipeline.model.manifests import ACKNOWLEDGED, acknowledged_in
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.services import Services


def acknowledged(services: Services, sync: Sync) -> int | None:
    """The manifest up to which a sync's reader has loaded all; None if it has told nothing yet.

    Raises ManifestBroken for an object that tells none, and the destination's errors.
    """
    last = services.ledger.manifests.last(sync.id)
    try:
        body = services.destinations(sync).get(ACKNOWLEDGED)
    except ObjectMissing:
        return None
    return acknowledged_in(body, last[0] if last else 0)

"""Telling a destination of a sync's run before its first file (D8, `cio-validate`)."""

from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


def announce(services: Services, sync: Sync, destination: Destination) -> None:
    """Announce a sync whose feed does so, once a run; raises what the destination raises.

    Call it when there is a file to send: nothing to send, nothing written.
    """
    if not sync.feed.facts.announces or services.announced.get(sync.id) == services.owner:
        return
    destination.announce()
    services.announced[sync.id] = services.owner

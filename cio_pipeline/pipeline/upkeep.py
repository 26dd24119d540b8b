"""Looking after the ledger's size: what ended long ago leaves it."""

from datetime import timedelta

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.ledger.upkeep import Pruned, prune
from cio_pipeline.model.shards import shards
from cio_pipeline.model.volumes import KEPT
from cio_pipeline.pipeline.scheduling.schedule import unsettled_keys
from cio_pipeline.pipeline.services import Services


def prune_ledger(services: Services, days: int) -> Pruned:
    """Remove from the ledger what ended so many days ago and nothing needs."""
    now = services.clock()
    errors = services.ledger.failing.all()
    among = shards(services.shards)
    unsettled: set[str] = set()
    for feed, exports in FEEDS.items():
        states = services.ledger.registry.states(list(exports))
        unsettled |= unsettled_keys(states, errors, now, feed, among)
    return prune(services.ledger.database, now - timedelta(days=days), unsettled, now - KEPT)

"""Looking after the ledger's size: what ended long ago leaves it."""

from datetime import timedelta

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.ledger.pruning import Pruned, prune
from cio_pipeline.pipeline.scheduling.run_request import tick_key
from cio_pipeline.pipeline.scheduling.schedule import unsettled_windows
from cio_pipeline.pipeline.services import Services


def prune_ledger(services: Services, days: int) -> Pruned:
    """Remove from the ledger what ended so many days ago and nothing needs."""
    now = services.clock()
    errors = services.ledger.errors.all()
    unsettled = {
        tick_key(window, feed)
        for feed, exports in FEEDS.items()
        for window in unsettled_windows(
            services.ledger.registry.states(list(exports)), errors, now, feed
        )
    }
    return prune(services.ledger.database, now - timedelta(days=days), unsettled)

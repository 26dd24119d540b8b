"""How one export was delivered in a window."""

from cio_pipeline.contracts.feeds import feed_of
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.times import EARLIEST
from cio_pipeline.model.windows import Window
from cio_pipeline.monitoring.delivery import DeliveryReport, delivery_report, is_due


def delivery_of(ledger: Ledger, export: str, window: Window) -> DeliveryReport:
    """The report of an export and window, on all syncs.

    States are read of those alone whose buckets do not have everything yet.
    """
    reached = ledger.looks.reached(export)
    due = {
        one.sync.id: reached.get(one.sync.id, EARLIEST)
        for one in ledger.registry.all()
        if one.sync.feed is feed_of(export) and one.sends(export) and is_due(one, window)
    }
    served = {sync_id: at for sync_id, at in due.items() if at >= window.end}
    others = due.keys() - served.keys()
    states = ledger.registry.states([export], others) if others else ()
    return delivery_report(export, window, states, ledger.failing.of_window(window.end), served)

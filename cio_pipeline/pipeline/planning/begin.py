"""Where an export stands, also before its first run.

One that forwards begins with the window that its sync was created in: it has no history. Whatever
was committed in that window or later is sent, however late the first run is and in whatever order
windows run.
"""

from datetime import datetime

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.windows import window_holding


def begin_of(state: ExportState) -> datetime:
    """The time that its first position is the cut of."""
    return window_holding(state.registered.created_at, state.sync.feed).start


def is_fresh(state: ExportState) -> bool:
    """Whether the export waits for its initial export, or for catching up after a pause."""
    stands = stands_at(state)
    if stands is None:
        return True
    resumed = state.switch.resumed_at
    return resumed is not None and stands < resumed


def stands_at(state: ExportState) -> datetime | None:
    """Up to when everything was sent; an export that forwards begins with its sync."""
    if state.position is not None:
        return state.position.at
    return begin_of(state) if state.sync.feed.facts.forwards else None


def delivered_until(state: ExportState) -> datetime | None:
    """Up to when all data was delivered: less than the position, while commits wait (D6)."""
    if state.position is None:
        return None
    waiting = state.position.waiting(ALL_EXPORTS[state.export].source)
    if waiting is None or waiting.since is None:
        return state.position.at
    return min(state.position.at, waiting.since)

"""Where an export that forwards begins: with the window that its sync was created in.

It has no history. Whatever was committed in that window or later is sent, however late the first
run is and in whatever order windows run.
"""

from datetime import datetime

from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.windows import window_holding


def begin_of(state: ExportState) -> datetime:
    """The time that its first position is the cut of."""
    return window_holding(state.registered.created_at, state.sync.feed).start

"""The windows of each feed as Dagster partitions, from one shared constant."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.windows import FIRST_WINDOW, Window, window_holding

WINDOWS_OF: Mapping[Feed, dg.TimeWindowPartitionsDefinition] = {
    feed: dg.TimeWindowPartitionsDefinition(
        start=FIRST_WINDOW,
        fmt="%Y-%m-%d-%H:%M",
        cron_schedule=f"*/{feed.length // timedelta(minutes=1)} * * * *",
        timezone="UTC",
    )
    for feed in Feed
}
"""One partition a window of a feed; a key is the window's start."""


def window_of(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, feed: Feed
) -> Window:
    """The window that a step runs for."""
    return window_holding(context.partition_time_window.start, feed)

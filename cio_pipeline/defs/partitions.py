"""The windows of each feed as Dagster partitions, from the deployment's first hour on."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.windows import Window, window_holding
from cio_pipeline.settings import settings
from cio_pipeline.wiring import first_window

FIRST = first_window(settings())
"""As it was when this process began: a sync registered as of an earlier one needs a reload. Another
one rebuilds Dagster's partition cache."""

WINDOWS_OF: Mapping[Feed, dg.TimeWindowPartitionsDefinition] = {
    feed: dg.TimeWindowPartitionsDefinition(
        start=FIRST,
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

"""The windows as Dagster partitions, from one shared constant."""

import dagster as dg

from cio_pipeline.model.windows import DATA_OUT_MINUTES, FIRST_WINDOW, Window, data_out_window

WINDOWS = dg.TimeWindowPartitionsDefinition(
    start=FIRST_WINDOW,
    fmt="%Y-%m-%d-%H:%M",
    cron_schedule=f"*/{DATA_OUT_MINUTES} * * * *",
    timezone="UTC",
)
"""One partition a data-out window; a key is the window's start."""


def window_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Window:
    """The window that a step runs for."""
    keys = context.partition_time_window
    return data_out_window(keys.start)

"""Jobs: the data-out feed as one run per window."""

import dagster as dg

from cio_pipeline.defs.exports import GROUP

data_out_job = dg.define_asset_job(
    "data_out",
    selection=dg.AssetSelection.groups(GROUP),
    description="All exports of one window, then the manifests, then the checks.",
    executor_def=dg.in_process_executor,
)
"""Ticks run in one process: a process per step would cost seconds of CPU each."""

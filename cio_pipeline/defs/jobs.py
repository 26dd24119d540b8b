"""Jobs: each feed as one run per window."""

import dagster as dg

from cio_pipeline.defs.calls import GROUP as CALLS_GROUP
from cio_pipeline.defs.exports import GROUP
from cio_pipeline.defs.messages import GROUP as MESSAGES_GROUP
from cio_pipeline.model.windows import Feed

data_out_job = dg.define_asset_job(
    "data_out",
    selection=dg.AssetSelection.groups(GROUP),
    description="All exports of one window, then the manifests, then the checks.",
    executor_def=dg.in_process_executor,
)
"""Ticks run in one process: a process per step would cost seconds of CPU each."""

calls_job = dg.define_asset_job(
    "calls",
    selection=dg.AssetSelection.groups(CALLS_GROUP),
    description="All calls of one window, then the manifests.",
    executor_def=dg.in_process_executor,
)

messages_job = dg.define_asset_job(
    "messages_feed",
    selection=dg.AssetSelection.groups(MESSAGES_GROUP),
    description="All messages of one window, then the manifests.",
    executor_def=dg.in_process_executor,
)

JOBS = {
    Feed.DATA_OUT: data_out_job,
    Feed.CALLS: calls_job,
    Feed.MESSAGES: messages_job,
}
"""The job of each feed."""

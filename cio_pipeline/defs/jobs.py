"""Jobs: each feed as one run per window."""

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN

JOBS = {
    feed: dg.define_asset_job(
        shown.job,
        selection=dg.AssetSelection.groups(shown.group),
        description=shown.summary,
        # A process per step would cost seconds of CPU each.
        executor_def=dg.in_process_executor,
    )
    for feed, shown in SHOWN.items()
}
"""The job of each feed."""

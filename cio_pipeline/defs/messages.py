"""The messages feed as one asset: a window's messages, one object each (M1)."""

import dagster as dg

from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.defs.partitions import WINDOWS_OF, window_of
from cio_pipeline.defs.resources import LANE, PipelineResource, ScopeResource, telling
from cio_pipeline.defs.source_tables import source_key
from cio_pipeline.model.windows import Feed
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.recovery.restore import restore_export
from cio_pipeline.pipeline.run_export import plan_export

GROUP = "messages"
OWNERS = ["team:messages"]
MESSAGES_KEY = dg.AssetKey(MESSAGES.name)


@dg.asset(
    key=MESSAGES_KEY,
    deps=[source_key(MESSAGES.source)],
    partitions_def=WINDOWS_OF[Feed.MESSAGES],
    io_manager_key="exports",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json"},
    description="The messages of a window, one JSON object each, under the key that the sync's "
    "template gives it. Equal keys overwrite, in their order.",
)
def messages(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[PipelineResource],
    scope: ScopeResource,
) -> Batch:
    """Plan what is sent; the IO manager sends it."""
    services = telling(pipeline.services(context.run.run_id), context.log)
    chosen = scope.scope(context.run.tags.get(LANE))
    begin = restore_export if scope.restores else plan_export
    return begin(services, MESSAGES.name, window_of(context, Feed.MESSAGES), chosen)

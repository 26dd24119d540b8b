"""The calls feed as six assets, one a type, which share the position of each sync (C1)."""

from collections.abc import Iterator

import dagster as dg

from cio_pipeline.contracts.exports.calls import CALL_TYPES, CALLS, type_export
from cio_pipeline.defs.exports import planned
from cio_pipeline.defs.feeds import SHOWN, call_key
from cio_pipeline.defs.io_manager import OfType
from cio_pipeline.defs.partitions import WINDOWS_OF
from cio_pipeline.defs.resources import PipelineResource, ScopeResource
from cio_pipeline.defs.shown_tables import export_columns
from cio_pipeline.defs.source_tables import source_key
from cio_pipeline.model.feeds import Feed

SENDS = SHOWN[Feed.CALLS]


def _out(kind: str) -> dg.AssetOut:
    return dg.AssetOut(
        key=call_key(kind),
        io_manager_key="exports",
        group_name=SENDS.group,
        owners=[SENDS.owner],
        kinds={"polars"},
        description=f"The `{kind}` calls of a window, a file for each sync that has any: "
        f"`<integration id>.<action id>.<position>.{kind}.<csv|json|parquet>`.\n\nThe six types "
        "share the position, so they run together.",
        metadata={"dagster/column_schema": export_columns(type_export(kind))},
    )


@dg.multi_asset(
    name="send_calls",
    outs={kind: _out(kind) for kind in CALL_TYPES},
    deps=[source_key(CALLS.source)],
    partitions_def=WINDOWS_OF[Feed.CALLS],
)
def calls(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[PipelineResource],
    scope: ScopeResource,
) -> Iterator[dg.Output[OfType]]:
    """Plan a window's calls; the IO manager sends them with the first of the types."""
    batch = planned(context, pipeline, scope, CALLS.name)
    for kind in CALL_TYPES:
        yield dg.Output(OfType(batch, kind), kind)

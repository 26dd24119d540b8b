"""The manifest asset: after all exports of a window, each sync's chain goes on."""

from typing import Any

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.defs.exports import GROUP, OWNERS, export_key
from cio_pipeline.defs.partitions import WINDOWS, window_of
from cio_pipeline.defs.resources import LANE, PipelineResource, ScopeResource
from cio_pipeline.pipeline.write_manifests import write_manifests


@dg.asset(
    key="manifest",
    deps=[export_key(name) for name in EXPORTS],
    partitions_def=WINDOWS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json"},
    description="The numbered, chained list of every file that a sync was sent: readers follow "
    "it, `cio-pipeline verify` proves it. A sync without a new commit gets none.",
)
def manifest(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, scope: ScopeResource
) -> dg.MaterializeResult[Any]:
    """Write what no manifest lists yet."""
    chosen = scope.scope(context.run.tags.get(LANE))
    written = write_manifests(
        pipeline.services(context.run_id), window_of(context), chosen.sync_ids
    )
    failed = [one for one in written if one.error is not None]
    rows = "\n".join(
        f"| {one.sync_id} | {one.ordinal or ''} | {one.files} | {one.error or ''} |"
        for one in written
    )
    return dg.MaterializeResult(
        metadata={
            "manifests": len(written) - len(failed),
            "files_listed": sum(one.files for one in written),
            "syncs_failed": len(failed),
            "syncs": dg.MetadataValue.md(
                f"| sync | manifest | files | error |\n|---|---|---|---|\n{rows}"
            ),
        }
    )

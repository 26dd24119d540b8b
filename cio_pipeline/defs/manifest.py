"""The manifest asset: after all exports of a window, each sync's chain goes on."""

from typing import Any

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.defs.columns import table
from cio_pipeline.defs.exports import GROUP, OWNERS, export_key
from cio_pipeline.defs.partitions import WINDOWS, window_of
from cio_pipeline.defs.resources import LANE, PipelineResource, ScopeResource
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.pipeline.restore import restore_manifests
from cio_pipeline.pipeline.write_manifests import write_manifests

MANIFEST = dg.AssetKey("manifest")


@dg.asset(
    key=MANIFEST,
    deps=[export_key(name) for name in EXPORTS],
    partitions_def=WINDOWS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"json"},
    description="The numbered, chained list of every file that a sync was sent: readers follow "
    "it, `cio-pipeline verify` proves it. A sync without a new commit gets none.",
)
def manifest(
    context: dg.AssetExecutionContext,
    pipeline: dg.ResourceParam[PipelineResource],
    scope: ScopeResource,
) -> dg.MaterializeResult[Any]:
    """Write what no manifest lists yet."""
    chosen = scope.scope(context.run.tags.get(LANE))
    services = pipeline.services(context.run.run_id)
    if scope.restores:
        for one in restore_manifests(services, chosen.sync_ids):
            context.log.info(f"{one.key} of sync {one.sync_id}: {one.error or 'put back'}")
    written = write_manifests(services, window_of(context), chosen.sync_ids, chosen.lane)
    failed = [one for one in written if one.error is not None]
    return dg.MaterializeResult(
        metadata={
            "syncs": table(
                {"sync": "string", "manifest": "string", "files": "int", "error": "string"},
                [
                    (
                        one.sync_id,
                        manifest_key(one.ordinal) if one.ordinal else "",
                        one.files,
                        one.error or "",
                    )
                    for one in written
                ],
            ),
            "manifests": len(written) - len(failed),
            "files_listed": sum(one.files for one in written),
            "syncs_failed": len(failed),
        }
    )

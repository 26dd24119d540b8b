"""The manifest asset of each feed: after all exports of a window, each sync's chain goes on."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN, file_keys
from cio_pipeline.defs.partitions import WINDOWS_OF, window_of
from cio_pipeline.defs.resources import LANE, PipelineResource, ScopeResource
from cio_pipeline.defs.shown_tables import table
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.pipeline.manifests.write_manifests import Written, write_manifests
from cio_pipeline.pipeline.recovery.restore import restore_manifests


def build_manifest(feed: Feed) -> dg.AssetsDefinition:
    """The manifest asset of a feed, downstream of its files."""
    shown = SHOWN[feed]

    @dg.asset(
        key=shown.manifest,
        deps=file_keys(feed),
        partitions_def=WINDOWS_OF[feed],
        group_name=shown.group,
        owners=[shown.owner],
        kinds={"json"},
        description="The numbered, chained list of every file that a sync was sent: readers "
        "follow it, `cio-pipeline verify` proves it. A sync without a new commit gets none.",
    )
    def manifest(
        context: dg.AssetExecutionContext,
        pipeline: dg.ResourceParam[PipelineResource],
        scope: ScopeResource,
    ) -> dg.MaterializeResult[Any]:
        chosen = scope.scope(context.run.tags.get(LANE))
        services = pipeline.services(context.run.run_id)
        if scope.restores:
            for one in restore_manifests(services, chosen.sync_ids):
                context.log.info(f"{one.key} of sync {one.sync_id}: {one.error or 'put back'}")
        written = write_manifests(
            services, window_of(context, feed), chosen.sync_ids, chosen.lane, feed
        )
        return dg.MaterializeResult(metadata=_metadata(written))

    return manifest


def _metadata(written: Sequence[Written]) -> dict[str, Any]:
    """A row per sync, and the sums."""
    failed = sum(one.error is not None for one in written)
    rows = [
        (
            one.sync_id,
            manifest_key(one.ordinal) if one.ordinal else "",
            one.files,
            one.told,
        )
        for one in written
    ]
    columns = {"sync": "string", "manifest": "string", "files": "int", "error": "string"}
    return {
        "syncs": table(columns, rows),
        "manifests": len(written) - failed,
        "files_listed": sum(one.files for one in written),
        "syncs_failed": failed,
    }


MANIFESTS = [build_manifest(feed) for feed in Feed]

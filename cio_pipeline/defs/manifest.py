"""The manifest asset of each feed: after all exports of a window, each sync's chain goes on."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN, file_keys
from cio_pipeline.defs.io_manager import timed
from cio_pipeline.defs.partitions import WINDOWS_OF, window_of
from cio_pipeline.defs.resources import PipelineResource, ScopeResource
from cio_pipeline.defs.shown_tables import table
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.committing.put_manifests import Continued
from cio_pipeline.pipeline.recovery.restore import restore_manifests

FAILED_SYNCS = "cio/failed_syncs"
"""Run tag that names the syncs that something failed for."""

NAMED = 5
"""Syncs that the tag names; the log of the run has all."""


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
        services = pipeline.services(context.run.run_id)
        chosen = scope.scope(context.run.tags, services)
        window = window_of(context, feed)
        if scope.restores:
            for one in restore_manifests(services, chosen.sync_ids):
                context.log.info(f"{one.key} of sync {one.sync_id}: {one.error or 'put back'}")
        begun = time.monotonic()
        written = commit_window(services, window, chosen.sync_ids, chosen.lane, feed)
        _tell(context, window, failed_syncs(services.ledger, window, feed, chosen.sync_ids))
        owners = {one.sync.id: one.sync.owner or "" for one in services.ledger.registry.all()}
        took = timed(time.monotonic() - begun, (services.clock() - window.end).total_seconds())
        return dg.MaterializeResult(metadata=_metadata(written, owners) | took)

    return manifest


def _tell(context: dg.AssetExecutionContext, window: Window, failed: Sequence[str]) -> None:
    """The run stays green: whoever looks at the list of runs sees who failed by a tag."""
    if failed:
        context.instance.add_run_tags(context.run.run_id, {FAILED_SYNCS: _named(failed)})
        context.log.error(
            f"Not all was sent in window {window.key} (UTC). Failed: {', '.join(failed)}."
        )


def failed_syncs(
    ledger: Ledger, window: Window, feed: Feed, sync_ids: Collection[str] | None
) -> list[str]:
    """The syncs of a feed, or some of them, that something failed for in a window."""
    served = (one for one in ledger.registry.all() if one.disabled_at is None)
    known = {one.sync.id for one in served if one.sync.feed is feed}
    wanted = known if sync_ids is None else known & set(sync_ids)
    failed = ledger.failing.of_window(window.end)
    return sorted({sync_id for sync_id, _ in failed} & wanted)


def _named(failed: Sequence[str]) -> str:
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    return ", ".join(failed[:NAMED]) + more


def _metadata(written: Sequence[Continued], owners: Mapping[str, str]) -> dict[str, Any]:
    """A row per sync, and the sums."""
    failed = sum(one.error is not None for one in written)
    rows = [
        (
            one.sync_id,
            owners.get(one.sync_id, ""),
            manifest_key(one.ordinal) if one.ordinal else "",
            one.files,
            one.told,
        )
        for one in written
    ]
    names = ("sync", "owner", "manifest", "files", "error")
    columns = dict.fromkeys(names, "string") | {"files": "int"}
    return {
        "syncs": table(columns, rows),
        "manifests": len(written) - failed,
        "files_listed": sum(one.files for one in written),
        "syncs_failed": failed,
    }


MANIFESTS = [build_manifest(feed) for feed in Feed]

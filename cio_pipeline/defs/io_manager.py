"""The IO manager: encodes a planned batch, delivers it to each sync and commits it."""

from collections.abc import Sequence

import dagster as dg

from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.model.registry import Outcome
from cio_pipeline.pipeline.plan_export import Batch
from cio_pipeline.pipeline.run_export import deliver_export, every_sync_failed

LARGEST = 20
"""Syncs shown in a materialisation's table, beside every failed one."""


class ExportIOManager(dg.ConfigurableIOManager):
    """Turns a batch into files in the workspaces' buckets; nothing is read back from there."""

    pipeline: dg.ResourceDependency[PipelineResource]

    def handle_output(self, context: dg.OutputContext, obj: Batch) -> None:
        """Seal, deliver and commit; fails only if every sync failed or the source is down."""
        outcomes = deliver_export(self.pipeline.services(context.run_id), obj)
        context.add_output_metadata(describe(obj, outcomes))
        for holder in obj.busy:
            context.log.warning(
                f"{holder.export} of sync {holder.sync_id} is left to {holder.owner}, which "
                f"holds it until {holder.expires_at:%H:%M:%S} UTC."
            )
        if every_sync_failed(outcomes):
            raise dg.Failure(
                f"{obj.export}: none of {len(outcomes)} syncs could be served. "
                f"First: {outcomes[0].sync_id}: {outcomes[0].error}"
            )

    def load_input(self, context: dg.InputContext) -> None:
        """Files are for readers outside; assets downstream read the ledger."""
        raise dg.DagsterInvariantViolationError(
            f"{context.asset_key.to_user_string()} cannot be loaded: its files belong to the "
            "workspaces. Read the ledger, or a workspace's manifests."
        )


def describe(batch: Batch, outcomes: Sequence[Outcome]) -> dict[str, dg.MetadataValue]:
    """A materialisation's metadata: totals, plotted by Dagster, and a table of syncs."""
    failed = [one for one in outcomes if one.error is not None]
    sent = [one for one in outcomes if one.files]
    totals = {
        "rows": sum(one.rows for one in outcomes),
        "files": sum(one.files for one in outcomes),
        "bytes": sum(one.bytes for one in outcomes),
        "syncs_sent": len(sent),
        "syncs_without_changes": batch.advanced + len(outcomes) - len(sent) - len(failed),
        "syncs_failed": len(failed),
        "syncs_busy": len(batch.busy),
        "rows_quarantined": sum(one.quarantined for one in outcomes),
    }
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(value) for name, value in totals.items()
    }
    metadata["dagster/row_count"] = dg.MetadataValue.int(totals["rows"])
    metadata["window"] = dg.MetadataValue.text(
        f"{batch.window.start:%Y-%m-%d %H:%M} to {batch.window.end:%H:%M} UTC"
    )
    if outcomes:
        largest = sorted(sent, key=lambda one: one.rows, reverse=True)[:LARGEST]
        metadata["syncs"] = table([*failed, *largest])
    return metadata


def table(outcomes: Sequence[Outcome]) -> dg.MetadataValue:
    """Outcomes as a table: the failed ones first, then the largest."""
    columns = ("sync", "workspace", "mode", "rows", "files", "bytes", "quarantined", "error")
    kinds = ("string", "int", "string", "int", "int", "int", "int", "string")
    schema = dg.TableSchema(
        [dg.TableColumn(name, kind) for name, kind in zip(columns, kinds, strict=True)]
    )
    records = [
        dg.TableRecord(
            {
                "sync": one.sync_id,
                "workspace": one.workspace_id,
                "mode": str(one.mode or ""),
                "rows": one.rows,
                "files": one.files,
                "bytes": one.bytes,
                "quarantined": one.quarantined,
                "error": one.error or "",
            }
        )
        for one in outcomes
    ]
    return dg.MetadataValue.table(records=records, schema=schema)

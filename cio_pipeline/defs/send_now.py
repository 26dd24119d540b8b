"""A job that sends all that was committed up to now: `cio-pipeline export --now` for the UI."""

import dagster as dg
from pydantic import Field

from cio_pipeline.defs.io_manager import outcome_table
from cio_pipeline.defs.resources import PipelineResource, telling
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.run_export import every_sync_failed
from cio_pipeline.pipeline.send_now import SentNow, feeds_with_syncs, send_now


class Whom(dg.Config):
    """Who is sent something."""

    sync_ids: list[str] = Field(default_factory=list, description="Ids of syncs; none means all.")


@dg.op(name="send_now", description="Plan, deliver and list all that there is, feed by feed.")
def _send(
    context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource], config: Whom
) -> None:
    services = telling(pipeline.services(context.run_id), context.log)
    scope = Scope(tuple(config.sync_ids) or None)
    for sync_id in config.sync_ids:
        services.ledger.registry.get(sync_id)
    found = [
        send_now(services, feed, scope)
        for feed in feeds_with_syncs(services.ledger.registry, scope)
    ]
    context.add_output_metadata(_told(found))
    errors = [error for one in found for error in one.errors]
    outcomes = [outcome for one in found for export in one.exports for outcome in export.outcomes]
    if errors or every_sync_failed(outcomes):
        first = errors or [f"{one.sync_id}: {one.told}" for one in outcomes]
        raise dg.Failure(f"Not all could be sent. First: {first[0]}")


def _told(found: list[SentNow]) -> dict[str, dg.MetadataValue]:
    """A table of syncs for each export that sent something or failed, and the sums."""
    exports = [export for one in found for export in one.exports]
    outcomes = [outcome for export in exports for outcome in export.outcomes]
    tables = {
        export.export: outcome_table(export.outcomes) for export in exports if export.outcomes
    }
    notices = [notice for export in exports for notice in export.notices]
    return {
        **tables,
        "rows": dg.MetadataValue.int(sum(one.rows for one in outcomes)),
        "files": dg.MetadataValue.int(sum(one.files for one in outcomes)),
        "syncs_failed": dg.MetadataValue.int(sum(one.error is not None for one in outcomes)),
        **({"source_notices": dg.MetadataValue.md("\n".join(notices))} if notices else {}),
    }


@dg.job(
    name="export_now",
    description="Sends all that was committed up to now, without waiting for a window's end or a "
    "sync's cadence. The window that is open sends the rest when it ends.",
    executor_def=dg.in_process_executor,
    # What the launchpad opens with, as those of a sync's life do.
    config={"ops": {"send_now": {"config": {"sync_ids": []}}}},
)
def export_now() -> None:
    """See the description."""
    _send()

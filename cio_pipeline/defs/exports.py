"""The exports as partitioned assets: each plans what is sent; the IO manager sends it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import CURRENT_VERSION, Afterwards, Export, History
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.contracts.feeds import feed_of
from cio_pipeline.defs.feeds import SHOWN, export_key
from cio_pipeline.defs.partitions import WINDOWS_OF, window_of
from cio_pipeline.defs.resources import PipelineResource, ScopeResource, telling
from cio_pipeline.defs.shown_tables import export_columns
from cio_pipeline.defs.source_tables import source_key
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.recovery.restore import restore_export
from cio_pipeline.pipeline.run_export import plan_export


@dataclass(frozen=True)
class Words:
    """What the UI tells of an export beside its name."""

    description: str
    kinds: frozenset[str]
    metadata: Mapping[str, Any] | None = None
    code_version: str | None = None


def build_export(export: Export, words: Words) -> dg.AssetsDefinition:
    """The asset of one export: context → arguments → use case."""
    feed = feed_of(export.name)
    shown = SHOWN[feed]

    @dg.asset(
        key=export_key(export.name),
        deps=[source_key(table) for table in (export.source, *export.joins)],
        partitions_def=WINDOWS_OF[feed],
        io_manager_key="exports",
        group_name=shown.group,
        owners=[shown.owner],
        kinds=set(words.kinds),
        description=words.description,
        metadata=words.metadata,
        code_version=words.code_version,
    )
    def plan(
        context: dg.AssetExecutionContext,
        pipeline: dg.ResourceParam[PipelineResource],
        scope: ScopeResource,
    ) -> Batch:
        return planned(context, pipeline, scope, export.name)

    return plan


def planned(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, scope: ScopeResource, export: str
) -> Batch:
    """What a run's window sends of an export, with what was noticed meanwhile."""
    notices: list[str] = []
    services = telling(pipeline.services(context.run.run_id), context.log)
    services = replace(services, notice=notices.append)
    begin = restore_export if scope.restores else plan_export
    chosen = scope.scope(context.run.tags, services)
    batch = begin(services, export, window_of(context, feed_of(export)), chosen)
    return replace(batch, notices=(*batch.notices, *notices))


def _words(export: Export) -> Words:
    versions = "v4 and v5" if export.since < CURRENT_VERSION else f"v{export.since}"
    return Words(
        f"{export.description}\n\n"
        f"The first window sends {_FIRST[export.history]}, each later one "
        f"{_LATER[export.afterwards]}. A partition is one window of all workspaces: Parquet files "
        "for each sync that has something to be sent.\n\n"
        f"Row key within a workspace: {', '.join(f'`{name}`' for name in export.row_key)}. "
        f"In {versions}.",
        frozenset({"polars", "parquet"}),
        {"dagster/column_schema": export_columns(export), "stem": export.stem},
        str(CURRENT_VERSION),
    )


_FIRST = {
    History.ALL: "the whole history",
    History.CURRENT: "the current state",
    History.LAST_30_DAYS: "the last 30 days",
}
_LATER = {
    Afterwards.CHANGED_ROWS: "the rows that changed",
    Afterwards.NEW_ROWS: "the rows that are new",
    Afterwards.NEW_AND_CHANGES: "new rows, and in files of their own (`chngs`) the changed ones",
}


_MESSAGES = Words(
    "The messages of a window, one JSON object each, under the key that the sync's template gives "
    "it. Equal keys overwrite, in their order.",
    frozenset({"json"}),
)

EXPORT_ASSETS = [
    *(build_export(export, _words(export)) for export in EXPORTS.values()),
    build_export(MESSAGES, _MESSAGES),
]
"""The assets whose batch the IO manager sends."""

"""The exports as partitioned assets: each plans what is sent; the IO manager sends it."""

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import CURRENT_VERSION, Afterwards, Export, History
from cio_pipeline.defs.columns import export_columns
from cio_pipeline.defs.partitions import WINDOWS, window_of
from cio_pipeline.defs.resources import LANE, PipelineResource, ScopeResource, telling
from cio_pipeline.defs.source_tables import source_key
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.recovery.restore import restore_export
from cio_pipeline.pipeline.run_export import plan_export

GROUP = "data_out"
OWNERS = ["team:data-out"]


def export_key(name: str) -> dg.AssetKey:
    """The asset key of an export."""
    return dg.AssetKey(name)


def build_export(export: Export) -> dg.AssetsDefinition:
    """The asset of one export: context → arguments → use case."""

    @dg.asset(
        key=export_key(export.name),
        deps=[source_key(table) for table in (export.source, *export.joins)],
        partitions_def=WINDOWS,
        io_manager_key="exports",
        group_name=GROUP,
        owners=OWNERS,
        kinds={"polars", "parquet"},
        description=_describe(export),
        metadata={"dagster/column_schema": export_columns(export), "stem": export.stem},
        code_version=str(CURRENT_VERSION),
    )
    def plan(
        context: dg.AssetExecutionContext,
        pipeline: dg.ResourceParam[PipelineResource],
        scope: ScopeResource,
    ) -> Batch:
        services = telling(pipeline.services(context.run.run_id), context.log)
        chosen = scope.scope(context.run.tags.get(LANE))
        begin = restore_export if scope.restores else plan_export
        return begin(services, export.name, window_of(context), chosen)

    return plan


def _describe(export: Export) -> str:
    versions = "v4 and v5" if export.since < CURRENT_VERSION else f"v{export.since}"
    return (
        f"{export.description}\n\n"
        f"The first window sends {_FIRST[export.history]}, each later one "
        f"{_LATER[export.afterwards]}. A partition is one window of all workspaces: Parquet files "
        "for each sync that has something to be sent.\n\n"
        f"Row key within a workspace: {', '.join(f'`{name}`' for name in export.row_key)}. "
        f"In {versions}."
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


EXPORT_ASSETS = [build_export(export) for export in EXPORTS.values()]

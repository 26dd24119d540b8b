"""The source tables as external assets, so that the graph starts where the data does."""

import json

import dagster as dg

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.defs.shown_tables import source_columns
from cio_pipeline.model.errors import CioError
from cio_pipeline.settings import settings
from cio_pipeline.sources.observed import Observed
from cio_pipeline.wiring import look_at_source

GROUP = "source"


def source_key(table: str) -> dg.AssetKey:
    """The asset key of a source table."""
    return dg.AssetKey(["source", table])


def source_spec(table: SourceTable) -> dg.AssetSpec:
    """A source table: written by somebody else, read here."""
    return dg.AssetSpec(
        source_key(table.name),
        description=f"{table.description} ({table.kind}; see docs/source-tables.md)",
        group_name=GROUP,
        kinds={"deltalake"},
        metadata={"dagster/column_schema": source_columns(table), "kind": table.kind.value},
    )


SOURCE_SPECS = [source_spec(table) for table in SOURCE_TABLES.values()]


def metadata_of(one: Observed) -> dict[str, dg.MetadataValue]:
    """What the UI shows of a table: rows, last commit, and what is wrong with it."""
    status = one.status
    troubles = [*status.problems, *one.breaches]
    found = {
        "dagster/row_count": None if status.rows is None else dg.MetadataValue.int(status.rows),
        "version": None if status.version is None else dg.MetadataValue.int(status.version),
        "last_commit": status.last_change
        and dg.MetadataValue.timestamp(status.last_change.timestamp()),
        "problems": dg.MetadataValue.md("\n".join(f"- {text}" for text in troubles) or "none"),
    }
    return {name: value for name, value in found.items() if value is not None}


@dg.sensor(
    name="source_tables",
    minimum_interval_seconds=900,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the source tables' logs, and shows rows, last commit and problems of "
    "those that are not as they were.",
)
def look_at_sources(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[PipelineResource]
) -> dg.SensorResult | dg.SkipReason:
    """An observation for each table of which something else is told than the last time."""
    try:
        _, tables = look_at_source(settings(), pipeline.services("sensor"), sampled=False)
    except CioError as error:
        return dg.SkipReason(f"{error.message} {error.next_step}")
    before = json.loads(context.cursor or "{}")
    now = {one.status.table: str(one) for one in tables}
    news = [
        dg.AssetObservation(source_key(one.status.table), metadata=metadata_of(one))
        for one in tables
        if before.get(one.status.table) != now[one.status.table]
    ]
    why = f"{len(news)} of {len(tables)} tables are not as they were; it starts no run."
    return dg.SensorResult(asset_events=news, cursor=json.dumps(now), skip_reason=why)

"""The Dagster entry point: all definitions, wired."""

import gc

import dagster as dg

from cio_pipeline.defs.alerts import send_alerts
from cio_pipeline.defs.calls import calls
from cio_pipeline.defs.checks import DELIVERY_CHECKS
from cio_pipeline.defs.dagster_files import keep_open
from cio_pipeline.defs.exports import EXPORT_ASSETS
from cio_pipeline.defs.io_manager import ExportIOManager
from cio_pipeline.defs.jobs import JOBS
from cio_pipeline.defs.lifecycle import LIFE_JOBS
from cio_pipeline.defs.loading import build_loading
from cio_pipeline.defs.manifest import MANIFESTS
from cio_pipeline.defs.resources import PipelineResource, ScopeResource
from cio_pipeline.defs.send_now import export_now
from cio_pipeline.defs.sensors import SENSORS
from cio_pipeline.defs.source_tables import SOURCE_SPECS, look_at_sources
from cio_pipeline.defs.upkeep import DAILY
from cio_pipeline.defs.warehouse import NO_MODELS, Models, warehouse_models
from cio_pipeline.settings import settings


def build_defs(pipeline: PipelineResource, models: Models = NO_MODELS) -> dg.Definitions:
    """All definitions on some adapters: those of the environment, or a test's."""
    opened = dg.ResourceDefinition.hardcoded_resource(pipeline)
    return dg.Definitions(
        assets=[*SOURCE_SPECS, *EXPORT_ASSETS, calls, *MANIFESTS, *models.assets],
        asset_checks=DELIVERY_CHECKS,
        jobs=[
            *LIFE_JOBS,
            export_now,
            *JOBS.values(),
            *models.jobs,
            *(one.job for one in DAILY),
        ],
        schedules=[*DAILY, *models.schedules],
        sensors=[*SENSORS.values(), look_at_sources, send_alerts, *models.sensors],
        resources={
            "pipeline": opened,
            "scope": ScopeResource(),
            "exports": ExportIOManager(pipeline=opened),
            **models.resources,
        },
        executor=dg.in_process_executor,
    )


_CHOSEN = settings()

defs = build_defs(
    PipelineResource(), build_loading(_CHOSEN.warehouse) + warehouse_models(_CHOSEN.dbt_project)
)

keep_open()

# All that is loaded by now lives as long as the process. In a window of 1,000 syncs, half of the
# collector's time went into walking through it again.
gc.freeze()
# What a window makes is plain values by the hundred thousand, of which hardly any form a circle.
gc.set_threshold(10_000, 20, 20)

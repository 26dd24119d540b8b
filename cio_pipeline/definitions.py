"""The Dagster entry point: all definitions, wired."""

import dagster as dg

from cio_pipeline.defs.checks import DELIVERY_CHECKS
from cio_pipeline.defs.exports import EXPORT_ASSETS
from cio_pipeline.defs.io_manager import ExportIOManager
from cio_pipeline.defs.jobs import data_out_job
from cio_pipeline.defs.lifecycle import LIFE_JOBS
from cio_pipeline.defs.manifest import manifest
from cio_pipeline.defs.resources import PipelineResource, ScopeResource
from cio_pipeline.defs.sensors import export_sensor
from cio_pipeline.defs.source_tables import SOURCE_SPECS


def build_defs(pipeline: PipelineResource) -> dg.Definitions:
    """All definitions on some adapters: those of the environment, or a test's."""
    opened = dg.ResourceDefinition.hardcoded_resource(pipeline)
    return dg.Definitions(
        assets=[*SOURCE_SPECS, *EXPORT_ASSETS, manifest],
        asset_checks=DELIVERY_CHECKS,
        jobs=[*LIFE_JOBS, data_out_job],
        sensors=[export_sensor],
        resources={
            "pipeline": opened,
            "scope": ScopeResource(),
            "exports": ExportIOManager(pipeline=opened),
        },
        executor=dg.in_process_executor,
    )


defs = build_defs(PipelineResource())

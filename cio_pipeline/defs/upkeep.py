"""A job that looks after the ledger's size, once a day."""

import dagster as dg

from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.pipeline.upkeep import prune_ledger
from cio_pipeline.settings import settings

SUMMARY = "Removes from the ledger what ended CIO_KEEP_DAYS (30) days ago and nothing needs."


@dg.op(description=SUMMARY)
def prune(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource]) -> None:
    """Prune the ledger, and tell how many rows left it."""
    done = prune_ledger(pipeline.services(context.run_id), settings().keep_days)
    context.add_output_metadata({name: dg.MetadataValue.int(n) for name, n in vars(done).items()})


@dg.job(name="ledger_prune", description=SUMMARY, executor_def=dg.in_process_executor)
def prune_job() -> None:
    """One step."""
    prune()


prune_schedule = dg.ScheduleDefinition(
    name="ledger_prune_daily",
    job=prune_job,
    cron_schedule="37 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=SUMMARY,
)

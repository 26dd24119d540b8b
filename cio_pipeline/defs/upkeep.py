"""Jobs that look after sizes, once a day: the ledger's, the buckets', Dagster's own."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg

from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.model.findings import Severity
from cio_pipeline.monitoring.reconciling import repeated, told
from cio_pipeline.pipeline.committing.commit import sweep_spool
from cio_pipeline.pipeline.erasure.settle import finish_erasures
from cio_pipeline.pipeline.recovery.came_again import came_again
from cio_pipeline.pipeline.recovery.expire import expire
from cio_pipeline.pipeline.recovery.reconcile import Asked, reconcile
from cio_pipeline.pipeline.upkeep import prune_ledger
from cio_pipeline.settings import settings
from cio_pipeline.wiring import now

PRUNING = "Removes from the ledger what ended CIO_KEEP_DAYS (30) days ago and nothing needs."


@dg.op(description=PRUNING)
def prune(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource]) -> None:
    """Prune the ledger, and tell how many rows left it."""
    done = prune_ledger(pipeline.services(context.run_id), settings().keep_days)
    context.add_output_metadata({name: dg.MetadataValue.int(n) for name, n in vars(done).items()})


KEEPING = (
    "Deletes delivered files that expired, Dagster's runs older than CIO_KEEP_RUN_DAYS (90), and "
    "what is left in the spool; finishes erasures that were broken off."
)

RUNS_AT_ONCE = 200
"""Runs that are asked for at a time."""


@dg.op(description="Deletes delivered files that are old or acknowledged, as each sync says.")
def expire_files(
    context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource]
) -> None:
    """Expire the files of all syncs; the step fails if one did, once the others are done."""
    services = pipeline.services(context.run_id)
    failed = finish_erasures(services)
    done = expire(services)
    sweep_spool(services)
    # What another run works on has its turn tomorrow.
    failed |= {one.sync_id: one.told for one in done if one.error and not one.held}
    context.add_output_metadata(
        {
            "files": dg.MetadataValue.int(sum(one.files for one in done)),
            "bytes": dg.MetadataValue.int(sum(one.bytes for one in done)),
        }
    )
    if failed:
        raise dg.Failure("\n".join(f"{key}: {why}" for key, why in sorted(failed.items())))


LOCATION = ".dagster/repository"
"""Tag that Dagster gives to what its daemon and its UI launch: whose code it runs."""


@dg.op(description="Deletes ended runs of this code location, with their events, that are too old.")
def delete_runs(context: dg.OpExecutionContext) -> None:
    """Delete old runs, some at a time; no later run needs them.

    Those of other code locations are not ours to delete. What tells of none ran on a command line.
    """
    before = now() - timedelta(days=settings().keep_run_days)
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = dg.RunsFilter(statuses=ended, created_before=before)
    ours = {None, context.run.tags.get(LOCATION)}
    count, last = 0, None
    while found := context.instance.get_run_records(
        old, limit=RUNS_AT_ONCE, ascending=True, cursor=last
    ):
        for record in found:
            run = record.dagster_run
            if run.tags.get(LOCATION) in ours:
                context.instance.delete_run(run.run_id)
                count += 1
            else:
                last = run.run_id
    context.add_output_metadata({"runs": dg.MetadataValue.int(count)})


RECOUNTING = "Recounts yesterday's windows from the source, and names what was not sent so."


@dg.op(description=RECOUNTING)
def recount(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[PipelineResource]) -> None:
    """Reconcile yesterday; the step fails if something differs, and says what to run."""
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    asked = Asked(midnight - timedelta(days=1), midnight)
    services = pipeline.services(context.run_id)
    owners = {one.sync.id: one.sync.owner for one in services.ledger.registry.all()}
    found = list(told((one for one, _ in reconcile(services, asked)), owners))
    found += map(repeated, came_again(services, asked.start, asked.end))
    for one in found:
        context.log.warning("%s: %s %s", one.sync_id or one.about, one.says, one.command)
    context.add_output_metadata({"differences": dg.MetadataValue.int(len(found))})
    wrong = [one for one in found if one.severity is Severity.ERROR]
    if wrong:
        raise dg.Failure("\n".join(f"{one.sync_id}: {one.says} {one.command}" for one in wrong))


def _daily(name: str, at: str, says: str, *steps: Callable[[], object]) -> dg.ScheduleDefinition:
    """A job of steps none of which needs another, once a day at a time (UTC) of cron."""

    @dg.job(name=name, description=says, executor_def=dg.in_process_executor)
    def job() -> None:
        for step in steps:
            step()

    return dg.ScheduleDefinition(
        name=f"{name}_daily",
        job=job,
        cron_schedule=at,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=says,
    )


DAILY = (
    _daily("ledger_prune", "37 3 * * *", PRUNING, prune),
    _daily("upkeep", "7 4 * * *", KEEPING, expire_files, delete_runs),
    _daily("reconcile", "37 4 * * *", RECOUNTING, recount),
)
"""The schedules, each with its job."""

"""The one sensor: asks for the runs that the ledger says are wanted."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.defs.jobs import data_out_job
from cio_pipeline.defs.resources import LANE, PipelineResource
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.scope import Lane
from cio_pipeline.pipeline.schedule import (
    Request,
    Seen,
    is_fresh,
    unsettled_windows,
    wanted_runs,
)
from cio_pipeline.pipeline.services import Services

PARTITION = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    name="export_sensor",
    job=data_out_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts initial exports of new and resumed exports, and a run for each closed "
    "window that is not settled, oldest first; catches up after an outage.",
)
def export_sensor(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask the pure decision what is wanted, and count the attempts."""
    services = pipeline.services("sensor")
    states = services.ledger.registry.states(list(EXPORTS))
    if not states:
        return dg.SkipReason("No sync is registered; add one with `cio-pipeline sync apply`.")
    requests = wanted_runs(states, _seen(context.instance, services, states), services.clock())
    for request in requests:
        for key in request.keys:
            services.ledger.attempts.next(request.lane, key, services.clock())
    return dg.SensorResult(run_requests=[_run(request) for request in requests])


def _seen(instance: dg.DagsterInstance, services: Services, states: Sequence[ExportState]) -> Seen:
    now = services.clock()
    oldest = min((s.position.at for s in states if s.position is not None), default=now)
    errors = services.ledger.errors.since(oldest)
    keys = {
        Lane.TICK: [window.key for window in unsettled_windows(states, errors, now)],
        Lane.INITIAL: sorted({state.sync.id for state in states if is_fresh(state)}),
    }
    attempts = {
        (lane, key): last
        for lane, wanted in keys.items()
        for key, last in services.ledger.attempts.counts(lane, wanted).items()
    }
    return Seen(errors, attempts, set(_running(instance)))


def _running(instance: dg.DagsterInstance) -> Iterable[tuple[Lane, str]]:
    """Windows of unfinished ticks and syncs of unfinished initial runs."""
    for lane in (Lane.TICK, Lane.INITIAL):
        runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags={LANE: lane.value}))
        for run in runs:
            if lane is Lane.TICK:
                yield lane, run.tags[PARTITION]
            else:
                yield from ((lane, sync_id) for sync_id in _sync_ids(run))


def _sync_ids(run: dg.DagsterRun) -> Sequence[str]:
    resources: Any = run.run_config.get("resources", {})
    scope = resources.get("scope", {})
    return scope.get("config", {}).get("sync_ids", [])


def _run(request: Request) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        partition_key=request.window.key,
        run_config=scope_config(request.sync_ids),
        tags={LANE: request.lane.value},
    )


def scope_config(sync_ids: Sequence[str]) -> dict[str, object]:
    """Run configuration that limits a run to some syncs; none means all."""
    return {"resources": {"scope": {"config": {"sync_ids": list(sync_ids)}}}}

"""A sensor for each feed: asks for the runs that the ledger says are wanted."""

from collections.abc import Collection, Sequence
from datetime import datetime

import dagster as dg

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.defs.covered import settle_covered
from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.jobs import JOBS
from cio_pipeline.defs.partitions import FIRST
from cio_pipeline.defs.resources import LANE, SHARD, PipelineResource
from cio_pipeline.defs.runs import end_dead_runs, serves, unfinished_runs, work_of
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.shards import shards
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.committing.commit import with_work
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.scheduling.run_request import Request, Seen
from cio_pipeline.pipeline.scheduling.schedule import unsettled_keys, wanted_runs
from cio_pipeline.pipeline.services import Services


def build_sensor(feed: Feed) -> dg.SensorDefinition:
    """The sensor of one feed."""

    @dg.sensor(
        name=SHOWN[feed].sensor,
        job=JOBS[feed],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{feed}: starts initial exports of new and resumed exports, and a run for "
        "each closed window that is not settled, oldest first; catches up after an outage, tries "
        "again what failed, and commits what a failed run delivered.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> dg.SensorResult | dg.SkipReason:
        return _asked(context, pipeline.services("sensor"), feed)

    return sensor


def _asked(
    context: dg.SensorEvaluationContext, services: Services, feed: Feed
) -> dg.SensorResult | dg.SkipReason:
    """Ask the pure decision what is wanted, and count the attempts."""
    now = services.clock()
    for run_id in end_dead_runs(context.instance, services.ledger.leases.owners(now), now):
        context.log.warning(f"Run {run_id} died without a word; it is reported as failed.")
    # The runs first: one that ends meanwhile is then tried again too late, never too early.
    running = {
        work
        for run in unfinished_runs(context.instance)
        if serves(run, feed)
        for work in work_of(run, feed)
    }
    states = services.ledger.registry.states(list(FEEDS[feed]))
    if not states:
        return dg.SkipReason("No sync is registered; add one with `cio-pipeline sync apply`.")
    _settle(context, services, states, feed)
    seen = _seen(services, states, running, feed)
    requests = wanted_runs(states, seen, now, feed, shards(services.shards))
    for request in requests:
        for key in request.keys:
            services.ledger.attempts.next(request.lane, key, now)
    if not requests:
        return dg.SkipReason(_idle(now))
    return dg.SensorResult(run_requests=[_run(request, now) for request in requests])


def _idle(now: datetime) -> str:
    """Why no run is asked for."""
    if now < FIRST:
        return f"No window before {utc(FIRST)} is run here: CIO_FIRST_WINDOW says so."
    return "Every closed window is settled, or its run is under way or waits."


def _settle(
    context: dg.SensorEvaluationContext,
    services: Services,
    states: Sequence[ExportState],
    feed: Feed,
) -> None:
    """Let covered windows be green. That is for the eye: no window waits for it if it fails."""
    failing = services.ledger.failing.all()
    settled: list[str] = []
    failure = caught(
        lambda: settled.extend(settle_covered(context.instance, feed, states, failing))
    )
    for run_id in settled:
        context.log.info(f"Run {run_id} failed, and a later window sent what it would have sent.")
    if failure is not None:
        context.log.warning(f"Windows of failed runs could not be settled: {failure.text}")


def _seen(
    services: Services,
    states: Sequence[ExportState],
    running: Collection[tuple[Lane, str]],
    feed: Feed,
) -> Seen:
    now = services.clock()
    errors = services.ledger.failing.all()
    breakers = services.ledger.breakers.all()
    waiting = services.ledger.manifests.waiting()
    uncommitted = with_work([state.sync for state in states], waiting)
    keys = {
        Lane.TICK: unsettled_keys(states, errors, now, feed, shards(services.shards)),
        Lane.INITIAL: sorted({state.sync.id for state in states if state.is_fresh}),
        Lane.MANIFEST: sorted(uncommitted),
        Lane.SLOW: sorted(breakers),
    }
    attempts = {
        (lane, key): tried
        for lane, wanted in keys.items()
        for key, tried in services.ledger.attempts.counts(lane, wanted).items()
    }
    # This process may have begun before a sync was registered as of an earlier hour.
    return Seen(errors, attempts, running, uncommitted, breakers, FIRST)


def _run(request: Request, now: datetime) -> dg.RunRequest:
    return dg.RunRequest(
        # A ledger that was rebuilt or restored counts anew, and Dagster launches no key twice.
        run_key=f"{request.run_key}@{now:%Y-%m-%dT%H:%M:%S}",
        partition_key=request.window.key,
        asset_selection=[SHOWN[request.feed].manifest] if request.lane is Lane.MANIFEST else None,
        run_config=scope_config(request.sync_ids),
        tags={LANE: request.lane.value, **({SHARD: str(request.shard)} if request.shard else {})},
    )


def scope_config(sync_ids: Sequence[str]) -> dict[str, object]:
    """Run configuration that limits a run to some syncs; none means all."""
    return {"resources": {"scope": {"config": {"sync_ids": list(sync_ids)}}}}


SENSORS = {feed: build_sensor(feed) for feed in Feed}
"""The sensor of each feed."""

"""Windows whose run failed before it came to anything, and that a later window has covered since.

Their partitions would stay red for ever, though all was sent: they get a note, and are green.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import dagster as dg

from cio_pipeline.defs.checks import DELIVERY_CHECKS
from cio_pipeline.defs.feeds import SHOWN, file_keys
from cio_pipeline.defs.runs import PARTITION, serves, window_of_run
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.registry import ExportState, Pair
from cio_pipeline.model.windows import Window

COVERED = "cio/covered"
"""Run tag of a failed run whose window is settled."""

NOTE = "Its run failed; a later window sent what it would have sent."

CHOSEN_ASSETS = "__ASSET_JOB"
"""What Dagster calls the job of runs and backfills of assets that somebody chose in the graph."""

LOOKED_AT = 50
"""Failed runs that are read at a time, the latest first, until all of some are settled."""

CHOSEN_LOOKED_AT = 500
"""Unsettled failed runs of chosen assets that are looked at, the latest first."""


def settle_covered(
    instance: dg.DagsterInstance,
    feed: Feed,
    states: Sequence[ExportState],
    failing: Mapping[Pair, Failing],
) -> Sequence[str]:
    """Settle the windows of failed runs once all syncs stand behind them; the ids of the runs.

    Without a sync nobody does, nor while a manifest of the window could not be put.
    """
    settled: list[str] = []
    if not states:
        return settled
    chains = [failing[one] for one in {(s.sync.id, CHAIN) for s in states} if one in failing]
    for run in _unsettled(instance, feed):
        window = window_of_run(run, feed)
        if window is None:
            continue
        unlisted = any(chain.covers(window.end) for chain in chains)
        if not unlisted and all(_behind(state, window) for state in states):
            _settle(instance, feed, window, run)
            instance.add_run_tags(run.run_id, {COVERED: "by a later window"})
            settled.append(run.run_id)
    return settled


def _unsettled(instance: dg.DagsterInstance, feed: Feed) -> Iterator[dg.DagsterRun]:
    """The failed runs of windows, back to those that were settled before."""
    yield from _failed(instance, SHOWN[feed].job)
    # Others' are never settled here, and not all of them are to be read each time.
    chosen = islice(_failed(instance, CHOSEN_ASSETS), CHOSEN_LOOKED_AT)
    yield from (run for run in chosen if serves(run, feed))


def _failed(instance: dg.DagsterInstance, job: str) -> Iterator[dg.DagsterRun]:
    failed = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE])
    cursor: str | None = None
    while runs := instance.get_runs(failed, cursor=cursor, limit=LOOKED_AT):
        some = [run for run in runs if COVERED not in run.tags and PARTITION in run.tags]
        if not some:
            return
        yield from some
        cursor = runs[-1].run_id


def _behind(state: ExportState, window: Window) -> bool:
    """Whether a window is no work for an export, any more or at all."""
    due = window.end > state.registered.created_at and window.due(state.sync.cadence)
    stands = state.stands_at
    return not state.on or not due or (stands is not None and stands >= window.end)


def _begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float:
    record = instance.get_run_record_by_id(run.run_id)
    return record.create_timestamp.timestamp() if record else 0.0


def _settle(instance: dg.DagsterInstance, feed: Feed, window: Window, run: dg.DagsterRun) -> None:
    """What was sent before the failed run had begun, by another shard's, leaves it red."""
    begun = _begun(instance, run)
    all_keys = [*file_keys(feed), SHOWN[feed].manifest]
    keys = [key for key in all_keys if not run.asset_selection or key in run.asset_selection]
    for key in keys:
        records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[window.key])
        sent = instance.fetch_materializations(records, limit=1).records
        if sent and sent[0].timestamp >= begun:
            continue
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key, description=NOTE, partition=window.key, metadata={"covered": NOTE}
            )
        )
    for check in _checks():
        # The source is to blame for a warning: what a later window sent mends nothing of it.
        if check.asset_key in keys and not _warned(instance, check.key, window):
            _overtake(instance, check, window, run)


def _overtake(
    instance: dg.DagsterInstance, check: dg.AssetCheckSpec, window: Window, run: dg.DagsterRun
) -> None:
    """Let a check of a failed run pass.

    In that run's name: Dagster takes one evaluation of no run for each check and partition, and
    fails at another. One that is there is replaced, so this may be done again after a crash.
    """
    passed = dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=True,
        description=NOTE,
        partition=window.key,
    )
    instance.report_dagster_event(
        dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=run.job_name,
            event_specific_data=passed,
        ),
        run_id=run.run_id,
    )


def _warned(instance: dg.DagsterInstance, check: dg.AssetCheckKey, window: Window) -> bool:
    """Whether the last that a check told of a window was a warning."""
    found = next(evaluations(instance, check, window.key), None)
    return found is not None and not found.passed and found.severity is dg.AssetCheckSeverity.WARN


def evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str
) -> Iterator[dg.AssetCheckEvaluation]:
    """What a check told of a partition lately, the last first."""
    storage = instance.event_log_storage
    for one in storage.get_asset_check_execution_history(check, limit=10 * LOOKED_AT):
        event = one.event.dagster_event if one.event is not None else None
        told = event.event_specific_data if event is not None else None
        # A run that is planned, and then fails, has told nothing.
        if one.partition == partition and isinstance(told, dg.AssetCheckEvaluation):
            yield told


def _checks() -> Iterator[dg.AssetCheckSpec]:
    return (spec for check in DELIVERY_CHECKS for spec in check.check_specs)

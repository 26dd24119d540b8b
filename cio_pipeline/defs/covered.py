"""Windows whose run failed before it came to anything, and that a later window has covered since.

Their partitions would stay red for ever, though all was sent: they get a note, and are green.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from cio_pipeline.defs.checks import DELIVERY_CHECKS
from cio_pipeline.defs.feeds import SHOWN, file_keys
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.windows import Window, parse_time, window_holding

COVERED = "cio/covered"
"""Run tag of a failed run whose window is settled."""

PARTITION = "dagster/partition"

LOOKED_AT = 50
"""Failed runs that are read at a time, the latest first, until all of some are settled."""


def settle_covered(
    instance: dg.DagsterInstance, feed: Feed, states: Sequence[ExportState]
) -> Sequence[str]:
    """Settle the windows of failed runs once all syncs stand behind them; the ids of the runs."""
    settled: list[str] = []
    for run in _unsettled(instance, feed):
        window = window_holding(parse_time(run.tags[PARTITION]), feed)
        if all(_behind(state, window) for state in states):
            _settle(instance, feed, window)
            instance.add_run_tags(run.run_id, {COVERED: "by a later window"})
            settled.append(run.run_id)
    return settled


def _unsettled(instance: dg.DagsterInstance, feed: Feed) -> Iterator[dg.DagsterRun]:
    """The failed runs of windows, back to those that were settled before."""
    failed = dg.RunsFilter(job_name=SHOWN[feed].job, statuses=[dg.DagsterRunStatus.FAILURE])
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


def _settle(instance: dg.DagsterInstance, feed: Feed, window: Window) -> None:
    note = "Its run failed; a later window sent what it would have sent."
    keys = [*file_keys(feed), SHOWN[feed].manifest]
    for key in keys:
        records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[window.key])
        if instance.fetch_materializations(records, limit=1).records:
            continue
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key, description=note, partition=window.key, metadata={"covered": note}
            )
        )
    for check in _checks():
        if check.asset_key in keys:
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=check.asset_key,
                    check_name=check.name,
                    passed=True,
                    description=note,
                    partition=window.key,
                )
            )


def _checks() -> Iterator[dg.AssetCheckSpec]:
    return (spec for check in DELIVERY_CHECKS for spec in check.check_specs)

"""Dagster's unfinished runs as the sensor sees them: what they work on, and which are dead.

The instance may have runs that serve no feed, of our other jobs or of somebody else's: these are
none of the sensor's business.

Anybody can give a run any tag. One that says nothing fails that run (`ScopeResource`), and not who
looks at all of them.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN, file_keys
from cio_pipeline.defs.resources import LANE, SHARD, lease_owner
from cio_pipeline.defs.send_now import export_now
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Lane, lane_of
from cio_pipeline.model.shards import Shard, parse_shard
from cio_pipeline.model.windows import Window, parse_time, window_holding
from cio_pipeline.pipeline.scheduling.run_request import tick_key

T = TypeVar("T")

PARTITION = "dagster/partition"

SILENCE = timedelta(minutes=10)
"""How long a run may be without lease and without event before it counts as dead. Leases outlive
their run by five minutes, and steps that hold none take seconds."""

_WITH_PROCESS = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *_WITH_PROCESS]


def unfinished_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Runs that are queued or under way."""
    return instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))


def work_of(run: dg.DagsterRun, feed: Feed) -> Iterable[tuple[Lane, str]]:
    """What a run of a feed works on: its syncs if it is limited to some, else its window."""
    lane = _read(lane_of, run.tags.get(LANE)) or Lane.ALL
    sync_ids = _sync_ids(run)
    if lane in {Lane.TICK, Lane.ALL} or not sync_ids:
        return [(lane, _key(run, feed))]
    return [(lane, sync_id) for sync_id in sync_ids]


def serves(run: dg.DagsterRun, feed: Feed) -> bool:
    """Whether a run sends files of a feed, by its job or by the assets that were chosen for it."""
    shown, chosen = SHOWN[feed], run.asset_selection or frozenset()
    return run.job_name in {shown.job, export_now.name} or not chosen.isdisjoint(
        {*file_keys(feed), shown.manifest}
    )


def _key(run: dg.DagsterRun, feed: Feed) -> str:
    """What the window of a run is counted by."""
    window = window_of_run(run, feed)
    return tick_key(window, feed, shard_of(run)) if window else ""


def window_of_run(run: dg.DagsterRun, feed: Feed) -> Window | None:
    """The window whose partition a run is of; None if it is of none, or of several."""
    return _read(lambda text: window_holding(parse_time(text), feed), run.tags.get(PARTITION))


def shard_of(run: dg.DagsterRun) -> Shard | None:
    """The shard that a run serves; None if it serves all syncs, or some that it names."""
    return _read(parse_shard, run.tags.get(SHARD))


def _read(parse: Callable[[str], T], tag: str | None) -> T | None:
    """What a tag says; None if it is not there, or says nothing."""
    if tag is None:
        return None
    try:
        return parse(tag)
    except InvalidConfig:
        return None


def others_under_way(
    instance: dg.DagsterInstance, of: dg.DagsterRun, window: Window
) -> Sequence[Shard]:
    """The other shards whose runs of a window have not ended; none for a run that serves all."""
    own = shard_of(of)
    if own is None:
        return ()
    runs = [run for run in unfinished_runs(instance) if run.job_name == of.job_name]
    found = {shard_of(run) for run in runs if run.tags.get(PARTITION) == window.key}
    return [shard for shard in found if shard is not None and shard != own]


def end_dead_runs(
    instance: dg.DagsterInstance, owners: Collection[str], now: datetime
) -> Sequence[str]:
    """Report runs as failed whose process is gone, and return their ids.

    A machine that went down leaves its runs "started" for ever, and they would keep their place
    in the queue. `owners` hold a lease that has not expired, so they live. A run that was only
    slow is fenced off by its lease's token. Runs that serve no feed hold no lease, and may be busy
    for long without a word: these are left to Dagster's monitoring.
    """
    silent = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=_WITH_PROCESS))
        if any(serves(run, feed) for feed in Feed)
        and lease_owner(run.run_id) not in owners
        and now - _last_event(instance, run) > SILENCE
    ]
    for run in silent:
        minutes = int(SILENCE.total_seconds() / 60)
        instance.report_run_failed(
            run,
            f"No sign of life for {minutes} minutes: no lease and no event, so its process is "
            "gone. The next run resumes its plans.",
        )
    return [run.run_id for run in silent]


def _last_event(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    records = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    if records:
        return datetime.fromtimestamp(records[0].event_log_entry.timestamp, UTC)
    record = instance.get_run_record_by_id(run.run_id)
    return record.create_timestamp if record else datetime.now(UTC)


def _sync_ids(run: dg.DagsterRun) -> Sequence[str]:
    resources: Any = run.run_config.get("resources", {})
    found = resources.get("scope", {}).get("config", {}).get("sync_ids", [])
    # One that stands in a variable is a mapping.
    return [one for one in found if isinstance(one, str)]

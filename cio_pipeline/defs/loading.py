"""The warehouse as an asset below the manifests, where CIO_WAREHOUSE names its file (O6)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.report import build_report
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.defs.shown_tables import table
from cio_pipeline.defs.warehouse import NO_MODELS, Models
from cio_pipeline.extras import needs
from cio_pipeline.model.errors import CioError, NothingDelivered
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.services import Services

LOADED = dg.AssetKey(["warehouse", "loaded"])
CHECK = "every_feed_is_loaded"
JOB = "warehouse_load"

_AGAIN = dg.RetryPolicy(max_retries=3, delay=60)
"""Somebody may be looking into the file: it takes one program at a time."""


def build_loading(path: Path | None) -> Models:
    """The asset, its job and its sensor; nothing without a file. Raises InvalidConfig."""
    if path is None:
        return NO_MODELS

    @dg.asset(
        key=LOADED,
        deps=[shown.manifest for shown in SHOWN.values()],
        group_name="warehouse",
        owners=[SHOWN[Feed.DATA_OUT].owner],
        kinds={"duckdb"},
        retry_policy=_AGAIN,
        check_specs=[dg.AssetCheckSpec(CHECK, asset=LOADED)],
        description="What every sync was sent, as tables of a DuckDB file: each manifest once, in "
        "one transaction with the record of it. A schema a sync.",
    )
    def loaded(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> dg.MaterializeResult:
        return _result(_load_all(pipeline.services(context.run.run_id), path))

    page, daily = build_report(LOADED, path.with_name(f"{path.name}.html"))
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(LOADED),
        description="Loads what is new into the DuckDB file of CIO_WAREHOUSE.",
        executor_def=dg.in_process_executor,
    )

    return Models((loaded, page), (job, daily.job), sensors=(_sensor(job),), schedules=(daily,))


def _sensor(job: Any) -> dg.SensorDefinition:
    @dg.sensor(
        name="warehouse_sensor",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads the warehouse after new manifests of any sync, and tries again what "
        "could not be loaded: at the next tick, then after pauses that grow up to an hour.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> dg.SensorResult | dg.SkipReason:
        return _asked(context, pipeline.services("sensor"))

    return sensor


@dataclass(frozen=True)
class _Asked:
    """What the sensor asked for last: for which state of the chains, how often, and when."""

    state: str
    tries: int
    at: datetime

    @property
    def again_at(self) -> datetime:
        """When it may be asked for again. A bucket that stays broken costs a run an hour."""
        return self.at + min(_LONGEST, _TICK / 2 * 2 ** min(self.tries, _DOUBLED))

    @property
    def request(self) -> dg.RunRequest:
        """Dagster leaves out a key that it has seen."""
        return dg.RunRequest(run_key=f"{self.state}-{self.tries}" if self.tries else self.state)


_TICK, _LONGEST, _DOUBLED = timedelta(minutes=1), timedelta(hours=1), 8
"""A pause that doubled so often is an hour; after some days of it, no time would hold one."""


def _asked(
    context: dg.SensorEvaluationContext, services: Services
) -> dg.SensorResult | dg.SkipReason:
    """A run for each state of the chains, and more of them while the last was not all loaded."""
    state, now = _state(services), services.clock()
    if state is None:
        return dg.SkipReason("Nothing is delivered yet.")
    last, failed = _last(context.cursor), _failed(context.instance)
    if last is None or last.state != state:
        # A feed that stays broken is no reason to try others more often once they get something.
        found = _Asked(state, 0 if last is None or failed is False else last.tries, now)
    elif not failed:
        return dg.SkipReason("All is loaded, or is about to be.")
    elif last.at <= now < last.again_at:
        return dg.SkipReason(f"Not all could be loaded; it is tried again at {utc(last.again_at)}.")
    else:
        found = replace(last, tries=last.tries + 1, at=now)
    cursor = json.dumps([found.state, found.tries, found.at.isoformat()])
    return dg.SensorResult(run_requests=[found.request], cursor=cursor)


def _state(services: Services) -> str | None:
    """What lies in the buckets, as far as the ledger knows; None if nothing does.

    A manifest is stored before it is put: whoever looks in between has to look again.
    """
    manifests = services.ledger.manifests
    waiting = manifests.waiting().unput
    lasts = manifests.lasts([one.sync.id for one in services.ledger.registry.all()])
    state = [(sync_id, last, sync_id in waiting) for sync_id, last in sorted(lasts.items())]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16] if state else None


def _last(cursor: str | None) -> _Asked | None:
    if cursor is None:
        return None
    state, tries, at = json.loads(cursor)
    return _Asked(state, tries, datetime.fromisoformat(at))


def _failed(instance: dg.DagsterInstance) -> bool | None:
    """Whether the last load left something out; None while nobody knows.

    One that was cancelled is somebody's.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=JOB), limit=1)
    if not runs or runs[0].status is not dg.DagsterRunStatus.SUCCESS:
        return True if runs and runs[0].status is dg.DagsterRunStatus.FAILURE else None
    check = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(LOADED, CHECK))
    found = check and check.evaluation
    return found is not None and not found.passed


_Row = tuple[str, str, str, int, int, str]
"""Sync, schema, manifests, files, rows, and what went wrong."""


def _load_all(services: Services, path: Path) -> Sequence[_Row]:
    """Load each sync; one that fails keeps none of the others back (O8)."""
    needs("duckdb")
    from cio_pipeline.reader.warehouse.database import opened  # noqa: PLC0415 - an extra's
    from cio_pipeline.reader.warehouse.load import load  # noqa: PLC0415 - the same

    rows: list[_Row] = []
    with opened(path) as db:
        for one in services.ledger.registry.all():
            sync = one.sync
            try:
                done = load(db, services.destinations(sync), stems=sync.stems)
            except NothingDelivered:
                continue
            except CioError as error:
                rows.append((sync.id, "", "", 0, 0, f"{error.message} {error.next_step}".strip()))
                continue
            manifests = "" if done.last is None else f"{done.first} to {done.last}"
            rows.append((sync.id, done.schema, manifests, done.files, done.rows, ""))
    return rows


def _result(rows: Sequence[_Row]) -> dg.MaterializeResult[Any]:
    names = ("sync", "schema", "manifests", "files", "rows", "error")
    columns = dict.fromkeys(names, "string") | {"files": "int", "rows": "int"}
    failed = [row[0] for row in rows if row[-1]]
    return dg.MaterializeResult(
        metadata={"syncs": table(columns, rows), "rows_loaded": sum(row[4] for row in rows)},
        check_results=[
            dg.AssetCheckResult(passed=not failed, check_name=CHECK, metadata={"failed": failed})
        ],
    )

"""The warehouse as an asset below the manifests, where CIO_WAREHOUSE names its file (O6)."""

import hashlib
import json
from collections.abc import Sequence
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
from cio_pipeline.pipeline.services import Services

LOADED = dg.AssetKey(["warehouse", "loaded"])
CHECK = "every_feed_is_loaded"

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
        "warehouse_load",
        selection=dg.AssetSelection.assets(LOADED),
        description="Loads what is new into the DuckDB file of CIO_WAREHOUSE.",
        executor_def=dg.in_process_executor,
    )

    @dg.sensor(
        name="warehouse_sensor",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Loads the warehouse after new manifests of any sync.",
    )
    def sensor(pipeline: dg.ResourceParam[PipelineResource]) -> dg.RunRequest | dg.SkipReason:
        return _wanted(pipeline.services("sensor"))

    return Models((loaded, page), (job, daily.job), sensors=(sensor,), schedules=(daily,))


def _wanted(services: Services) -> dg.RunRequest | dg.SkipReason:
    """A run for each state of the chains: Dagster leaves out a key that it has seen."""
    ids = [one.sync.id for one in services.ledger.registry.all()]
    lasts = services.ledger.manifests.lasts(ids)
    if not lasts:
        return dg.SkipReason("Nothing is delivered yet.")
    state = json.dumps(sorted(lasts.items())).encode()
    return dg.RunRequest(run_key=hashlib.sha256(state).hexdigest()[:16])


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

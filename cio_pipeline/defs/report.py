"""The page about feeds as an asset below the loaded warehouse: its place, and a look at it (O6)."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import dagster as dg

from cio_pipeline.defs.feeds import SHOWN
from cio_pipeline.defs.resources import PipelineResource
from cio_pipeline.defs.shown_tables import table
from cio_pipeline.extras import needs
from cio_pipeline.model.feeds import Feed
from cio_pipeline.reader.report.charts import charts
from cio_pipeline.reader.report.facts import Facts
from cio_pipeline.reporting import WINDOWS, Reported, write_report
from cio_pipeline.wiring import now

REPORT = dg.AssetKey(["warehouse", "report"])

DAILY = "Writes the page about all feeds, once a day: it reads all that was delivered."

_WIDTH = 480
"""Pixels of the picture: metadata lie in Dagster's database."""

_DRAWN = ("volume", "funnel")
"""What is shown of the feed with most rows, the first that it has."""


def build_report(
    below: dg.AssetKey, out: Path
) -> tuple[dg.AssetsDefinition, dg.ScheduleDefinition]:
    """The asset, which writes the page of all syncs to a file, and its job's daily schedule.

    Once a day, not after each window: the page reads all that was delivered.
    """

    @dg.asset(
        key=REPORT,
        deps=[below],
        group_name="warehouse",
        owners=[SHOWN[Feed.DATA_OUT].owner],
        kinds={"html"},
        description="A page about all feeds: what came when, files, funnel, opens with and without "
        "machines, who can be matched, what was held back. One file that needs no network.",
    )
    def report(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[PipelineResource]
    ) -> dg.MaterializeResult:
        services = pipeline.services(context.run.run_id)
        done = write_report(services, services.ledger.registry.all(), out, now(), WINDOWS)
        return dg.MaterializeResult(metadata=_metadata(done, out))

    job = dg.define_asset_job(
        "warehouse_report",
        selection=dg.AssetSelection.assets(REPORT),
        description=DAILY,
        executor_def=dg.in_process_executor,
    )
    return report, dg.ScheduleDefinition(
        name="warehouse_report_daily",
        job=job,
        cron_schedule="7 5 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=DAILY,
    )


def _metadata(done: Reported, out: Path) -> dict[str, Any]:
    names = {"sync": "string", "until": "string", "rows": "int", "files": "int", "held": "int"}
    rows = [
        (one.name, str(one.until or ""), one.rows, one.files, sum(held.rows for held in one.held))
        for one in done.told
    ]
    left_out = [f"{sync}: {error.message}" for sync, error in done.failed]
    return {
        "page": dg.MetadataValue.path(out.absolute()),
        "open": dg.MetadataValue.url(out.absolute().as_uri()),
        "feeds": table(names, rows),
        **({"preview": dg.MetadataValue.md(_preview(done.told))} if done.told else {}),
        **(
            {"left_out": dg.MetadataValue.md("\n".join(f"- {o}" for o in left_out))}
            if left_out
            else {}
        ),
    }


def _preview(told: list[Facts]) -> str:
    """A picture of the largest feed, inline."""
    largest = max(told, key=lambda one: one.rows)
    drawn = charts(largest)
    name = next((one for one in _DRAWN if one in drawn), None)
    if name is None:
        return f"{largest.name}: {largest.rows:,} rows."
    spec = {**drawn[name], "width": _WIDTH}
    picture = b64encode(needs("vl_convert").vegalite_to_png(spec)).decode()
    return f"{largest.name}: {largest.rows:,} rows.\n\n![{name}](data:image/png;base64,{picture})"

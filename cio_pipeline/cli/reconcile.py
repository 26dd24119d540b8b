"""`cio-pipeline reconcile`: closed windows, counted again from the source."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from cio_pipeline.cli.context import scope_of, services
from cio_pipeline.cli.held import exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.model.differences import Difference
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import parse_time
from cio_pipeline.monitoring.reconciling import repeated, told
from cio_pipeline.pipeline.recovery.came_again import came_again
from cio_pipeline.pipeline.recovery.reconcile import Asked, accept, is_sent_again, repair
from cio_pipeline.pipeline.recovery.reconcile import reconcile as recount
from cio_pipeline.pipeline.services import Services
from cio_pipeline.wiring import now


def reconcile(
    sync: Annotated[list[str] | None, typer.Argument(help="Ids of syncs; default: all.")] = None,
    day: Annotated[
        str | None, typer.Option(help="The day (UTC) whose windows are recounted; else yesterday.")
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Read the files, too, and compare the rows' keys.")
    ] = False,
    repair_: Annotated[
        bool, typer.Option("--repair", help="Send what differs again, under new numbers.")
    ] = False,
    accept_: Annotated[
        bool, typer.Option("--accept", help="Tell no more of what differs: it is known.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Recount closed windows of a day from the source, and tell what was not sent so.

    First files are not recounted. Exit code 1 if something differs that was neither repaired nor
    accepted.
    """
    start = _midnight(day)
    found = services()
    scope = scope_of(found.ledger.registry, sync or [])
    asked = Asked(start, start + timedelta(days=1), scope.sync_ids, keys)
    differences = recount(found, asked)
    _show(found, asked, differences, as_json=as_json)
    if repair_:
        _repair(found, differences, as_json=as_json)
        differences = [one for one in differences if not is_sent_again(*one)]
    if accept_:
        accept(found, differences)
    elif differences:
        raise typer.Exit(1)


def _show(
    found: Services, asked: Asked, differences: Sequence[tuple[Difference, Plan]], *, as_json: bool
) -> None:
    """Show what differs, and what came again."""
    again = came_again(found, asked.start, asked.end)
    owners = {one.sync.id: one.sync.owner for one in found.ledger.registry.all()}
    findings = [*told((one for one, _ in differences), owners), *map(repeated, again)]
    if as_json:
        print_json(findings)
        return
    rows = [(one.sync_id or one.about, one.says, one.command) for one in findings]
    print_table("Differences", ("sync", "what", "next"), rows, "all was sent")


def _repair(
    found: Services, differences: Sequence[tuple[Difference, Plan]], *, as_json: bool
) -> None:
    """Send what differs again, and show what came of it."""
    done = repair(found, differences)
    if not as_json:
        rows = [
            (utc(end), one.sync_id, one.export, one.rows, one.error)
            for end, one in ((each.end, each.outcome) for each in done)
        ]
        columns = ("window's end", "sync", "export", "rows sent", "error")
        print_table("Repaired", columns, rows, "nothing")
    exit_unless_done([one.outcome for one in done])


def _midnight(day: str | None) -> datetime:
    at = parse_time(day) if day else now() - timedelta(days=1)
    start = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if day and (at != start or start > now()):
        raise InvalidConfig(f"'{day}' is no past day.", "Write it like 2026-11-22 (UTC).")
    return start

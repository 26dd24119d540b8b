"""`cio-pipeline doctor`: what is wrong, why, and what to run next; the checks of the UI at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from cio_pipeline.cli.context import ended, feed_of_sync, services, window_at
from cio_pipeline.cli.output import CONSOLE, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.pipeline.checking.checks import CHECKS, findings, latest_findings

COLUMNS = ("how bad", "check", "sync", "owner", "what", "likely cause", "next")


def doctor(
    sync: Annotated[list[str] | None, typer.Argument(help="Ids of syncs; default: all.")] = None,
    window: Annotated[
        str | None,
        typer.Option(help="Any time in the window, UTC; default: the last that should be done."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong in a window: what it comes from, and what to run next.

    Exit code 1 if anything wants somebody now; warnings alone leave it at 0.
    """
    found = _found(sync or [], window)
    errors = sum(one.severity is Severity.ERROR for one in found)
    if as_json:
        print_json({"ok": not errors, "checks": [one.name for one in CHECKS], "findings": found})
    else:
        _show(found, errors)
    if errors:
        raise typer.Exit(1)


_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Checks look back weeks from a window; long ago there is no such time."""


def _found(sync_ids: Sequence[str], window: str | None) -> list[Finding]:
    at = services()
    registry = at.ledger.registry
    feeds = {feed_of_sync(registry, one) for one in sync_ids} or set(Feed)
    chosen = sync_ids or None
    if window is None:
        return latest_findings(at, chosen)
    windows = {feed: ended(window_at(window, feed)) for feed in Feed if feed in feeds}
    if any(one.end < _EARLIEST for one in windows.values()):
        raise InvalidConfig(f"Nothing was delivered in {window}.", "Name a window of your syncs.")
    return [one for feed, each in windows.items() for one in findings(at, each, [feed], chosen)]


def _show(found: Sequence[Finding], errors: int) -> None:
    if not found:
        CONSOLE.print(f"✓ {len(CHECKS)} checks found nothing wrong", style="bold green")
        return
    style = "bold red" if errors else "bold yellow"
    told = ", ".join(
        f"{many:,} {word}{'' if many == 1 else 's'}"
        for many, word in ((errors, "error"), (len(found) - errors, "warning"))
    )
    CONSOLE.print(f"✗ {len(CHECKS)} checks found: {told}", style=style)
    rows = [
        (
            one.severity.value,
            one.check,
            one.sync_id,
            one.owner,
            f"{one.export}: {one.says}" if one.export else one.says,
            one.cause,
            one.command,
        )
        for one in sorted(found, key=lambda one: one.severity is not Severity.ERROR)
    ]
    print_table("Found", COLUMNS, rows)

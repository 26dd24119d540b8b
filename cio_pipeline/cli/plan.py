"""`cio-pipeline plan`: what the next sync would send and why, without sending."""

from typing import Annotated

import typer

from cio_pipeline.cli.context import scope_of, services, window_at
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.pipeline.preview import preview

Window = Annotated[
    str | None, typer.Option("--window", help="A time in the window (UTC); default: last closed.")
]


def plan(
    window: Window = None,
    sync: Annotated[list[str] | None, typer.Option(help="Only this sync; repeatable.")] = None,
    count: Annotated[bool, typer.Option(help="Read the changesets and count rows.")] = True,  # noqa: FBT002 - typer's way to declare a flag
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - the same
) -> None:
    """Show what a window would send to each sync and why, without sending anything."""
    found, at = services(), window_at(window)
    previews = preview(found, at, scope_of(found, sync or []), count=count)
    if as_json:
        print_json(previews)
        return
    columns = ("sync", "export", "decision", "rows", "chngs", "held back", "why")
    rows = [
        (
            one.sync_id,
            one.export,
            one.decision.lower(),
            one.rows,
            one.chngs or None,
            one.rejected or None,
            one.why,
        )
        for one in sorted(previews, key=lambda one: one.sync_id)
    ]
    print_table(f"Window {at.key}", columns, rows, "no sync is registered")

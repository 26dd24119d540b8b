"""`cio-pipeline plan`: what the next sync would send and why; giving up a plan that is stuck."""

from typing import Annotated

import typer

from cio_pipeline.cli.context import feed_of_sync, scope_of, services, window_at
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.model.windows import Feed
from cio_pipeline.pipeline.manifests.write_manifests import write_manifests
from cio_pipeline.pipeline.planning.preview import preview
from cio_pipeline.pipeline.recovery import abandon as use_case

app = typer.Typer()

Window = Annotated[
    str | None, typer.Option("--window", help="A time in the window (UTC); default: last closed.")
]


@app.callback(invoke_without_command=True)
def plan(  # noqa: PLR0917 - typer takes options as parameters
    context: typer.Context,
    window: Window = None,
    sync: Annotated[list[str] | None, typer.Option(help="Only this sync; repeatable.")] = None,
    feed: Annotated[Feed, typer.Option(help="Which feed.")] = Feed.DATA_OUT,
    count: Annotated[bool, typer.Option(help="Read the changesets and count rows.")] = True,  # noqa: FBT002 - typer's way to declare a flag
    as_json: AsJson = False,  # noqa: FBT002 - the same
) -> None:
    """Show what a window would send to each sync and why, without sending anything."""
    if context.invoked_subcommand is not None:
        return
    found, at = services(), window_at(window, feed)
    previews = preview(found, at, scope_of(found, sync or []), count=count, feed=feed)
    if as_json:
        print_json(previews)
        return
    columns = ("sync", "export", "decision", "rows", "chngs", "held back", "worked on by", "why")
    rows = [
        (
            one.sync_id,
            one.export,
            one.decision.lower(),
            one.rows,
            one.chngs or None,
            one.rejected or None,
            one.held,
            one.why,
        )
        for one in sorted(previews, key=lambda one: one.sync_id)
    ]
    print_table(f"Window {at.key}", columns, rows, "no sync is registered")


@app.command()
def abandon(
    sync_id: Annotated[str, typer.Argument(help="Id of the sync.")],
    export: Annotated[str, typer.Argument(help="Name of the export.")],
    as_json: AsJson = False,  # noqa: FBT002 - the same
) -> None:
    """Give up an unfinished plan: what it put is removed, and the next run plans anew.

    Its numbers are declared void in a manifest, and never used again.
    """
    found = services()
    done = use_case.abandon(found, sync_id, export)
    write_manifests(found, window_at(None, feed_of_sync(found, sync_id)), [sync_id])
    if as_json:
        print_json(done)
        return
    rows = [("removed", key, "") for key in done.removed]
    rows += [("left", key, why) for key, why in done.left]
    rows += [("void", f"{export} {series} {number}", "") for series, number in done.void]
    print_table(
        f"Abandoned {export} of {sync_id}", ("what", "which", "why"), rows, "nothing was put"
    )

"""`cio-pipeline plan`: what the next sync would send and why; giving up a plan that is stuck."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from cio_pipeline.cli.context import ended, feed_of_sync, scope_of, services, window_at
from cio_pipeline.cli.output import CONSOLE, named, print_json, print_table, words
from cio_pipeline.cli.parameters import AsJson, Syncs
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.planning.preview import Preview, preview
from cio_pipeline.pipeline.recovery import abandon as use_case

app = typer.Typer()

IDLE = {
    "Covered": "covered",
    "Nothing": "without changes",
    "NotDue": "not due",
    "Off": "off",
}
"""Decisions that send nothing and need nobody."""

At = Annotated[
    str | None, typer.Option("--window", help="A time in the window (UTC); default: last closed.")
]


@app.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    window: At = None,
    sync: Syncs = None,
    feed: Annotated[Feed, typer.Option(help="Which feed.")] = Feed.DATA_OUT,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list exports that send nothing.")
    ] = False,
    count: Annotated[bool, typer.Option(help="Read the changesets and count rows.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show what a window would send to each sync and why, without sending anything."""
    if context.invoked_subcommand is not None:
        return
    found, at = services(), ended(window_at(window, feed))
    previews = preview(
        found, at, scope_of(found.ledger.registry, sync or []), count=count, feed=feed
    )
    if as_json:
        print_json(previews)
        return
    _show(at, previews, everything=everything)


def _show(at: Window, previews: Sequence[Preview], *, everything: bool) -> None:
    """A row for each export that sends something or needs somebody; the others are counted."""
    shown = [one for one in previews if everything or one.held or one.decision not in IDLE]
    columns = ("sync", "export", "decision", "rows", "chngs", "held back", "worked on by", "why")
    rows = _each(shown) if everything else _folded(shown)
    idle = Counter(one.decision for one in previews if one not in shown)
    folded = ", ".join(f"{count} {IDLE[name]}" for name, count in sorted(idle.items()))
    empty = f"nothing is sent: {folded}; --all lists them" if idle else "no sync is registered"
    print_table(f"Window {at.key} (UTC)", columns, rows, empty)
    if rows and idle:
        CONSOLE.print(f"Nothing is sent of the others: {folded}; --all lists them.")


def _each(shown: Sequence[Preview]) -> list[tuple[object, ...]]:
    return [_row(one, one.export) for one in sorted(shown, key=lambda one: one.sync_id)]


def _folded(shown: Sequence[Preview]) -> list[tuple[object, ...]]:
    """Exports of a sync of which the same is told, such as why it is stopped, are one row."""
    alike: defaultdict[Preview, list[str]] = defaultdict(list)
    for one in sorted(shown, key=lambda one: one.sync_id):
        counted = one.rows or one.chngs or one.rejected
        alike[one if counted else replace(one, export="")].append(one.export)
    return [_row(one, named(exports, "exports")) for one, exports in alike.items()]


def _row(one: Preview, exports: str) -> tuple[object, ...]:
    split = one.export and ALL_EXPORTS[one.export].split
    counts = (one.rows, one.chngs if split else None, one.rejected or None)
    return (one.sync_id, exports, words(one.decision), *counts, one.held, one.why)


@app.command()
def abandon(
    sync_id: Annotated[str, typer.Argument(help="Id of the sync.")],
    export: Annotated[str, typer.Argument(help="Name of the export.")],
    as_json: AsJson = False,
) -> None:
    """Give up an unfinished plan: what it put is removed, and the next run plans anew.

    Its numbers are declared void in a manifest, and never used again.
    """
    found = services()
    done = use_case.abandon(found, sync_id, export)
    commit_window(found, window_at(None, feed_of_sync(found.ledger.registry, sync_id)), [sync_id])
    if as_json:
        print_json(done)
        return
    rows = [("removed", key, "") for key in done.removed]
    rows += [("left", key, why) for key, why in done.left]
    rows += [("void", f"{export} {series} {number}", "") for series, number in done.void]
    print_table(
        f"Abandoned {export} of {sync_id}", ("what", "which", "why"), rows, "nothing was put"
    )

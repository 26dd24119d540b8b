"""`cio-pipeline sync pause`, `disable`, `upgrade` and the other verbs in the life of a sync."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

import typer

from cio_pipeline.cli.context import services, time_at, whoever
from cio_pipeline.cli.output import CONSOLE, print_json
from cio_pipeline.cli.parameters import AsJson, SyncId
from cio_pipeline.extras import imported
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.lifecycle import verbs
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.lifecycle.upgrade import FROM_V1, NEWEST
from cio_pipeline.reader.sql import DialectName

SHOWN = 50
"""Objects that are named one by one; `--json` has all."""

At = Annotated[str | None, typer.Option(help="As if at this time (UTC); default: now.")]
Exports = Annotated[
    list[str] | None, typer.Option("--export", help=f"{verbs.PAUSE.exports} Repeatable.")
]
Again = Annotated[
    list[str] | None, typer.Option("--resend", help=f"{verbs.UPGRADE.exports} Repeatable.")
]
Sure = Annotated[
    bool, typer.Option("--yes", help="Do it; otherwise it only tells what it would remove.")
]
FromV1 = Annotated[
    bool, typer.Option("--from-v1", help="Also tell what to do if you come from Customer.io's v1.")
]

Preview = Annotated[bool, typer.Option("--preview", help="Only tell what changes for readers.")]
Dialect = Annotated[
    DialectName | None, typer.Option(help="With --preview: also what to run in a warehouse.")
]
Schema = Annotated[str, typer.Option(help="Schema of its tables.")]


def pause(
    sync_id: SyncId,
    exports: Exports = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Turn exports off."""
    _do(verbs.PAUSE, sync_id, at, exports=exports or (), as_json=as_json)


def resume(
    sync_id: SyncId,
    exports: Exports = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Turn exports on."""
    _do(verbs.RESUME, sync_id, at, exports=exports or (), as_json=as_json)


def disable(
    sync_id: SyncId,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Quit sending."""
    _do(verbs.DISABLE, sync_id, at, as_json=as_json)


def enable(
    sync_id: SyncId,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Start anew."""
    _do(verbs.ENABLE, sync_id, at, as_json=as_json)


def upgrade(
    sync_id: SyncId,
    resend: Again = None,
    from_v1: FromV1 = False,
    preview: Preview = False,
    dialect: Dialect = None,
    schema: Schema = "data_out",
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Send v5."""
    if preview:
        told = imported("cio_pipeline.cli.upgrade_preview")
        sync = services().ledger.registry.get(sync_id).sync
        found = told.preview(sync, NEWEST, dialect, schema)
        told.show(found, sync, dialect=dialect, as_json=as_json)
        return
    if from_v1:
        typer.echo(FROM_V1, err=True)
        if not resend and services().ledger.registry.get(sync_id).sync.version == NEWEST:
            return
    _do(verbs.UPGRADE, sync_id, at, exports=resend or (), as_json=as_json)


def purge(
    sync_id: SyncId,
    yes: Sure = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Remove a disabled sync's files."""
    _do(verbs.PURGE, sync_id, at, sure=yes, as_json=as_json)


def recreate(
    sync_id: SyncId,
    yes: Sure = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Purge and start anew."""
    _do(verbs.RECREATE, sync_id, at, sure=yes, as_json=as_json)


for verb, command in zip(
    verbs.VERBS, (pause, resume, disable, enable, upgrade, purge, recreate), strict=True
):
    # Dagster shows the same.
    command.__doc__ = verb.summary


def _do(
    verb: verbs.Verb,
    sync_id: str,
    at: str | None,
    *,
    exports: Collection[str] = (),
    sure: bool = False,
    as_json: bool,
) -> None:
    found = services()
    order = Order(
        sync_id, _after_all(found.ledger.registry, sync_id, at), whoever(), tuple(exports), sure
    )
    report = verb.do(found, order)
    if as_json:
        print_json(report)
    else:
        _show(report)


def _after_all(registry: Registry, sync_id: str, at: str | None) -> datetime:
    """The time of an order; raises InvalidConfig if more was done to the sync since."""
    time = time_at(at)
    past = registry.history(sync_id)
    if at is not None and past and time < past[-1].at:
        raise InvalidConfig(
            f"Sync '{sync_id}' was last changed at {utc(past[-1].at)} ({past[-1].what}), after "
            f"{utc(time)}.",
            "Give a later time with --at, or leave it out.",
        )
    return time


def _show(report: Report) -> None:
    what = ", ".join(report.changed) or "nothing changed"
    CONSOLE.print(f"{report.sync_id}: {report.verb}: {what}")
    word = "removed" if report.done else "would remove"
    for key in report.objects[:SHOWN]:
        CONSOLE.print(f"  {word} {key}")
    if len(report.objects) > SHOWN:
        CONSOLE.print(f"  … and {len(report.objects) - SHOWN:,} more; --json names all")
    for note in report.notes:
        typer.echo(f"  {note}", err=True)

"""`cio-pipeline sync apply`: the registry made to match a sync file."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services, time_at, whoever
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.destinations.overlap import absolute, location
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.lifecycle.apply import Applied, apply_syncs
from cio_pipeline.pipeline.recovery.behind import stop_those_behind
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.syncs.sync_file import (
    check_sync,
    read_sync_file,
    told_of_archive,
)
from cio_pipeline.pipeline.syncs.validate import tried_out, unknown_workspaces


def apply(
    file: Annotated[Path, typer.Argument(help="The sync file (docs/sync-file.md).")],
    at: Annotated[
        str | None,
        typer.Option(help="Register new syncs as of this time (UTC); earlier windows are no work."),
    ] = None,
    as_json: AsJson = False,
    no_validate: Annotated[
        bool, typer.Option("--no-validate", help="Do not try out the permissions.")
    ] = False,
) -> None:
    """Make the registry match a sync file; syncs that it does not name stay as they are.

    Then the permissions of new and changed syncs are tried out. A sync that lacks one stays
    registered: mend it, check with `sync validate`, and the next window sends what is outstanding.
    """
    base = Path.cwd()
    found = services(older=True)
    syncs = [absolute(sync, base) for sync in syncs_of(file)]
    if at is not None:
        _tell_of_older(found.ledger.registry, syncs, time_at(at))
    applied = apply_syncs(
        found, syncs, lambda sync: location(sync.destination, base), time_at(at), whoever()
    )
    found.ledger.breakers.close([one.sync_id for one in applied if one.action == "changed"])
    _warn_of_unknown_workspaces(found, syncs)
    if not no_validate:
        created = {one.sync_id for one in applied if one.action == "created"}
        for text in stop_those_behind(found, [sync for sync in syncs if sync.id in created]):
            typer.echo(text, err=True)
    for sync in syncs:
        for warning in (*check_sync(sync), *told_of_archive(sync)):
            typer.echo(f"{sync.id}: {warning}.", err=True)
    if as_json:
        print_json(applied)
    else:
        _print_applied(applied)
    _tell_of_others(found.ledger.registry, syncs)
    if not no_validate:
        _validate(found, syncs, applied)


_OTHERS = 5
"""Syncs that the file does not name, of which so many are told."""


def _tell_of_others(registry: Registry, syncs: Sequence[Sync]) -> None:
    """Name syncs that go on though the file does not name them: it may be meant to stop them."""
    named = {sync.id for sync in syncs}
    others = sorted(
        one.sync.id
        for one in registry.all()
        if one.disabled_at is None and one.sync.id not in named
    )
    if others:
        more = f" and {len(others) - _OTHERS} more" if len(others) > _OTHERS else ""
        typer.echo(
            f"{', '.join(others[:_OTHERS])}{more}: not in this file, and sent as before. "
            f"`cio-pipeline sync disable {others[0]}` stops one.",
            err=True,
        )


def _tell_of_older(registry: Registry, syncs: Sequence[Sync], at: datetime) -> None:
    """Name syncs that keep the time that they were registered at; raises InvalidConfig if all do.

    What was sent rests on that time.
    """
    since = {one.sync.id: one.created_at for one in registry.all()}
    older = {sync.id: since[sync.id] for sync in syncs if since.get(sync.id, at) != at}
    told = ", ".join(f"{name} since {time:%Y-%m-%d %H:%M}" for name, time in older.items())
    if not older:
        return
    if all(sync.id in since for sync in syncs):
        raise InvalidConfig(
            f"--at is for new syncs, and the file has none: {told} UTC.",
            "Leave --at out. `cio-pipeline export --now` sends all that there is, however old.",
        )
    typer.echo(f"--at is for the new syncs alone: {told} UTC.", err=True)


def _print_applied(applied: Sequence[Applied]) -> None:
    rows = [(one.sync_id, one.action, ", ".join(one.changes)) for one in applied]
    print_table("Applied", ("sync", "action", "changes"), rows, "the file names no sync")
    for one in applied:
        for note in one.notes:
            typer.echo(f"{one.sync_id}: {note}", err=True)


def _validate(found: Services, syncs: Sequence[Sync], applied: Sequence[Applied]) -> None:
    """Try out new and changed syncs; what fails is shown, with exit code 1."""
    news = {one.sync_id for one in applied if one.action != "unchanged"}
    tried = [sync for sync in syncs if sync.id in news]
    results = tried_out(found.destinations, tried, found.secret)
    failed = [one for one in results if not one.ok]
    for one in failed:
        for permission in one.permissions:
            if permission.granted is False and one.needs(permission):
                text = f"{permission.name}: {permission.detail} {permission.next_step}"
                typer.echo(f"{one.sync_id}: {text}", err=True)
    if failed:
        typer.echo(
            "The syncs are registered. Mend this, then check with `cio-pipeline sync validate`; "
            "the next window sends what is outstanding.",
            err=True,
        )
        raise typer.Exit(1)


def _warn_of_unknown_workspaces(found: Services, syncs: Sequence[Sync]) -> None:
    """A workspace without rows may be new, or mistyped: told, not refused."""
    try:
        unknown = unknown_workspaces(found, {sync.workspace_id for sync in syncs})
    except CioError as error:
        typer.echo(f"The source cannot be read yet: {error}", err=True)
        return
    for sync in syncs:
        if sync.workspace_id in unknown:
            typer.echo(
                f"{sync.id}: the source has no row of workspace {sync.workspace_id} yet; check "
                "the number if it should.",
                err=True,
            )


def syncs_of(file: Path) -> tuple[Sync, ...]:
    """The syncs of a sync file, with the data contracts beside it that they name."""
    return read_sync_file(
        read_file(file), lambda name: read_file(file.parent / name, "data contract")
    )


def read_file(file: Path, what: str = "sync file") -> str:
    """The text of a file; raises InvalidConfig if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidConfig(
            f"The {what} {file} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"The {what} {file} is not UTF-8.") from error

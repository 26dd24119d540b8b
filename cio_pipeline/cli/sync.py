"""`cio-pipeline sync`: the registry of syncs."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services, time_at, whoever
from cio_pipeline.cli.key_preview import key_preview
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.destinations.overlap import absolute, location
from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.model.history import Entry
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.apply import apply_syncs
from cio_pipeline.pipeline.known_workspaces import unknown_workspaces
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.sync_file import check_key_template, read_sync_file

app = typer.Typer(help="Register syncs, look at them, and all that happens in the life of one.")
app.command()(key_preview)

SyncId = Annotated[str, typer.Argument(help="Id of the sync.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

LATEST = 5
"""Lines of its history that `show` shows of a sync."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="The sync file (docs/sync-file.md).")],
    at: Annotated[
        str | None,
        typer.Option(help="Register as if at this time (UTC); earlier windows are no work."),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer's way to declare a flag
) -> None:
    """Make the registry match a sync file; syncs that it does not name stay as they are."""
    text = read_file(file)
    base = Path.cwd()
    found = services()
    syncs = [absolute(sync, base) for sync in read_sync_file(text)]
    applied = apply_syncs(
        found,
        syncs,
        lambda sync: location(sync.destination, base),
        time_at(at),
        whoever(),
    )
    found.ledger.breakers.close([one.sync_id for one in applied if one.action == "changed"])
    _warn_of_unknown_workspaces(found, syncs)
    for sync in syncs:
        for warning in check_key_template(sync):
            typer.echo(f"{sync.id}: {warning}.", err=True)
    if as_json:
        print_json(applied)
        return
    rows = [(one.sync_id, one.action, ", ".join(one.changes)) for one in applied]
    print_table("Applied", ("sync", "action", "changes"), rows, "the file names no sync")
    for one in applied:
        for note in one.notes:
            typer.echo(f"{one.sync_id}: {note}", err=True)


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


def read_file(file: Path) -> str:
    """The text of a sync file; raises InvalidConfig if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidConfig(
            f"The sync file {file} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"The sync file {file} is not UTF-8.") from error


@app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """List all syncs."""
    found = services()
    positions, breakers, now = _behind(found), found.ledger.breakers.all(), found.clock()
    rows = [
        (
            one.sync.id,
            one.sync.workspace_id,
            f"v{one.sync.version}",
            one.sync.cadence.value,
            "disabled" if one.disabled_at else _on(one),
            positions.get(one.sync.id),
            _breaker(breakers.get(one.sync.id), now),
            one.sync.owner,
            found.destinations(one.sync).describe(),
        )
        for one in found.ledger.registry.all()
    ]
    columns = (
        "sync",
        "workspace",
        "version",
        "cadence",
        "exports",
        "delivered up to",
        "breaker",
        "owner",
        "destination",
    )
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table("Syncs", columns, rows, "none; add one with `cio-pipeline sync apply FILE`")


def _breaker(breaker: Breaker | None, now: datetime) -> str:
    return breaker.describe(now) if breaker is not None else "closed"


def _on(registered: RegisteredSync) -> int:
    return sum(switch.enabled for switch in registered.switches.values())


def _behind(found: Services) -> dict[str, object]:
    """The oldest position of each sync whose exports all have one."""
    positions: dict[str, object] = {}
    missing: set[str] = set()
    for state in found.ledger.registry.states(list(ALL_EXPORTS)):
        if not state.on:
            continue
        if state.position is None:
            missing.add(state.sync.id)
        else:
            known = positions.get(state.sync.id, state.position.at)
            positions[state.sync.id] = min(known, state.position.at)  # type: ignore[type-var]
    return {sync_id: at for sync_id, at in positions.items() if sync_id not in missing}


@app.command()
def show(sync_id: SyncId, as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Show one sync: its configuration, and where each export stands."""
    found = services()
    registered = found.ledger.registry.get(sync_id)
    states = found.ledger.registry.states(list(ALL_EXPORTS), [sync_id])
    breaker = found.ledger.breakers.all().get(sync_id)
    if as_json:
        print_json(
            {
                "sync": registered.sync.model_dump(mode="json"),
                "generation": registered.generation,
                "created_at": registered.created_at,
                "breaker": breaker,
                "disabled_at": registered.disabled_at,
                "exports": [_row(state) for state in states],
                "history": found.ledger.history.of(sync_id),
            }
        )
        return
    described = registered.sync.model_dump(mode="json", exclude_none=True)
    described |= {"generation": registered.generation, "created_at": registered.created_at}
    described["breaker"] = _breaker(breaker, found.clock())
    if breaker is not None:
        described["last error"] = f"{breaker.kind}: {breaker.message}"
    if registered.disabled_at is not None:
        described["disabled_at"] = registered.disabled_at
    print_table(f"Sync {sync_id}", ("setting", "value"), list(described.items()))
    rows = [tuple(_row(state).values()) for state in states]
    columns = ("export", "on", "delivered up to", "next sequence", "open plan")
    print_table("Exports", columns, rows)
    _print_history(sync_id, found.ledger.history.of(sync_id)[-LATEST:])


def _row(state: ExportState) -> dict[str, object]:
    plan = state.open_plan
    return {
        "export": state.export,
        "enabled": state.switch.enabled,
        "position": state.position.at if state.position else None,
        "next_sequence": ", ".join(
            f"{series} {number}" for series, number in sorted(state.next_sequence.items())
        ),
        "open_plan": _progress(plan) if plan else None,
    }


def _progress(plan: Plan) -> str:
    """How far a plan has come; an initial export with what its slices delivered so far."""
    if plan.slices == 1:
        return f"{plan.mode} ({plan.state})"
    files = sum(plan.sent.files.values())
    return (
        f"{plan.mode} {plan.slice}/{plan.slices} slices, {plan.sent.rows:,} rows, {files:,} files"
    )


@app.command()
def history(sync_id: SyncId, as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Show who did what to a sync, and when."""
    found = services()
    found.ledger.registry.get(sync_id)
    entries = found.ledger.history.of(sync_id)
    if as_json:
        print_json(entries)
        return
    _print_history(sync_id, entries)


def _print_history(sync_id: str, entries: Sequence[Entry]) -> None:
    rows = [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.who, e.what, _from_to(e)) for e in entries]
    print_table(f"History of {sync_id}", ("at", "who", "what", "from → to"), rows)


def _from_to(entry: Entry) -> str:
    if not entry.before:
        return "registered"
    return "; ".join(
        f"{name}: {_short(entry.before.get(name))} → {_short(value)}"
        for name, value in entry.after.items()
    )


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

"""`cio-pipeline contract`: data contracts proposed from the data, and tried on it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.apply import read_file
from cio_pipeline.cli.context import ended, feed_of_sync, services, window_at
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, SyncId
from cio_pipeline.cli.reference import contract_schema
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.feeds.contract_inference import infer as infer_contract
from cio_pipeline.pipeline.feeds.contract_proposal import proposal
from cio_pipeline.pipeline.feeds.contract_trial import TriedExport, try_contract
from cio_pipeline.pipeline.syncs.contract_file import read_contract, require_agreement


def infer(
    sync_id: SyncId,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="So many days are looked at.")] = 30,
) -> None:
    """Propose a data contract from what a sync's exports hold, as commented YAML.

    What of the last days' rows is always so becomes a rule: columns and properties that are
    never empty, names of events, types. Read it before you apply it.
    """
    found = services()
    sync = found.ledger.registry.get(sync_id).sync
    require_option(sync)
    until = window_at(None, sync.feed).end
    since = until - timedelta(days=days)
    seen = infer_contract(found, sync_id, since, until)
    if not any(one.rows for one in seen):
        raise InvalidConfig(
            f"The source has no row of workspace {sync.workspace_id} in the last {days} days.",
            "Look at more with --days, or load data first.",
        )
    intro = (
        f"Proposed for sync {sync_id} from rows of {utc(since)} to {utc(until)}.",
        "All of it holds for them; what is to hold is for you to say: docs/contracts.md.",
        f"Try it: cio-pipeline contract check FILE --sync {sync_id} --days {days}",
    )
    typer.echo(proposal(seen, intro, sync.version), nl=False)


def check(
    file: Annotated[Path, typer.Argument(help="The data contract (docs/contracts.md).")],
    sync: Annotated[str, typer.Option("--sync", help="Id of the sync that is to have it.")],
    window: Annotated[
        str | None,
        typer.Option("--window", help="A time in the window (UTC); default: last closed."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, help="So many days up to the window's end instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try a data contract on what was committed in a window, without sending anything.

    Shows how many rows would be sent, how many held back for which reason, and keys of a few.
    """
    found = services()
    registered = found.ledger.registry.get(sync)
    require_option(registered.sync)
    contract, written = read_contract(read_file(file, "data contract"), file.name)
    require_agreement(contract, registered.sync, written)
    at = ended(window_at(window, feed_of_sync(found.ledger.registry, sync)))
    since = at.start if days is None else at.end - timedelta(days=days)
    tried = try_contract(found, sync, contract, since, at.end)
    if as_json:
        print_json({"since": since, "until": at.end, "exports": tried})
        return
    rows = [row for one in tried for row in _rows(one)]
    title = f"{file.name} on sync {sync}, {utc(since)} to {utc(at.end)}"
    columns = ("export", "rows", "become", "like")
    print_table(title, columns, rows, "the sync sends no export that the contract speaks of")


def _rows(tried: TriedExport) -> list[tuple[object, ...]]:
    held = [
        (tried.export, one.rows, f"held back: {one.reason}", "; ".join(one.samples))
        for one in tried.held_back
    ]
    return [(tried.export, tried.kept, "sent", ""), *held]


def schema() -> None:
    """Print the JSON Schema of data contracts, for editors."""
    typer.echo(contract_schema(), nl=False)


def require_option(sync: Sync) -> None:
    """Raise InvalidConfig for a sync that cannot have a data contract."""
    if "contract" not in sync.feed.facts.options:
        raise InvalidConfig(
            f"Sync '{sync.id}' is of the feed {sync.feed}, which passes on payloads as they are.",
            "Data contracts are for the feeds data-out and calls.",
        )

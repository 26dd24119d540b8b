"""`cio-pipeline ledger`: looking after the state."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import opened, services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.ledger import upkeep
from cio_pipeline.ledger.open import open_ledger
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery import behind
from cio_pipeline.pipeline.upkeep import prune_ledger
from cio_pipeline.settings import settings
from cio_pipeline.wiring import Opened


def check(as_json: AsJson = False) -> None:
    """Say whether the ledger is damaged, and the one that the buckets know; exit code 1 if not.

    It is read whole, and held against what was last seen of it and each sync's last manifest.
    """
    found = opened()
    with closing(found.ledger) as ledger:
        problems = upkeep.check(ledger.database)
        problems += [] if problems else _not_the_one(found)
        compared = [] if problems else behind.compare(found.services, _syncs(ledger.registry))
    problems += [one.behind for one in compared if one.behind]
    unread = [f"{one.sync_id}: not compared: {one.unread}" for one in compared if one.unread]
    if as_json:
        print_json({"ledger": ledger.database.name, "problems": problems, "unread": unread})
    else:
        rows = [(problem,) for problem in problems]
        print_table(f"Ledger {ledger.database.name}", ("problem",), rows, "whole")
        for text in unread:
            typer.echo(text, err=True)
    if problems:
        raise typer.Exit(1)


def _not_the_one(found: Opened) -> list[str]:
    try:
        found.recognised()
    except LedgerError as error:
        return [str(error)]
    return []


def _syncs(registry: Registry) -> list[Sync]:
    return [one.sync for one in registry.all() if one.disabled_at is None]


def backup(file: Annotated[Path, typer.Argument(help="The copy to make.")]) -> None:
    """Copy a SQLite ledger while it is in use; use `pg_dump` for PostgreSQL."""
    with closing(open_ledger(settings().ledger)) as ledger:
        upkeep.backup(ledger.database, file)
    typer.echo(f"Copied the ledger to {file}.")


def prune(
    days: Annotated[
        int | None,
        typer.Option(
            help="Keep what ended since; default CIO_KEEP_DAYS, or 30.", min=1, max=36_500
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove what ended long ago and nothing needs; Dagster does so once a day."""
    found = services()
    done = prune_ledger(found, days or settings().keep_days)
    if as_json:
        print_json(done)
        return
    print_table("Pruned", ("what", "rows"), list(vars(done).items()))

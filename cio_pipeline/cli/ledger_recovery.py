"""`cio-pipeline ledger rebuild` and `catch-up`: bringing the state back after a loss."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.apply import syncs_of
from cio_pipeline.cli.context import opened, scope_of, window_at
from cio_pipeline.cli.held import exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, Syncs
from cio_pipeline.destinations.overlap import absolute, location
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.recovery import catch_up as recovery
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.syncs.sync_file import check_together


def rebuild(
    syncs: Annotated[Path, typer.Option(help="The sync file that the syncs are registered from.")],
    as_json: AsJson = False,
) -> None:
    """Fill an empty ledger from the buckets' manifests, after it was lost.

    Numbers of files that no manifest lists become void; their rows are sent with new numbers.
    """
    base = Path.cwd()
    wanted = [absolute(sync, base) for sync in syncs_of(syncs)]
    check_together(wanted, lambda sync: location(sync.destination, base))
    found = opened()
    done = recovery.rebuild(found.services, wanted)
    _show(found.accepted(), done, as_json=as_json)


def catch_up(
    sync: Syncs = None,
    as_json: AsJson = False,
) -> None:
    """Bring a ledger restored from a backup up to what the buckets' manifests list.

    Stop Dagster and all runs first. Where a bucket holds a manifest that the ledger does not know,
    what the ledger holds beyond it is forgotten, unfinished plans too.
    """
    found = opened()
    scope = scope_of(found.services.ledger.registry, sync or [])
    done = recovery.catch_up(found.services, scope.sync_ids)
    # Who could not catch up was stopped; who is held by a run was not even looked at.
    if scope.sync_ids is None and not any(one.held for one in done):
        found.accepted()
    _show(found.services, done, as_json=as_json)


def _show(found: Services, done: Sequence[recovery.CaughtUp], *, as_json: bool) -> None:
    """Declare void numbers in the buckets, and show what came of each sync."""
    good = [one.sync_id for one in done if one.error is None]
    written = {one.sync_id: one for one in commit_window(found, window_at(None), good)}
    if as_json:
        print_json(done)
    else:
        columns = ("sync", "manifests taken in", "files", "void numbers", "up to", "error")
        rows = [
            (one.sync_id, one.manifests, one.files, one.void, one.up_to, one.told) for one in done
        ]
        print_table("Ledger", columns, rows, "the file names no sync")
    exit_unless_done(done)
    if any(one.error for one in written.values()):
        raise typer.Exit(1)

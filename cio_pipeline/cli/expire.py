"""`cio-pipeline expire`: deleting delivered files that nobody needs any more."""

from typing import Annotated

import typer

from cio_pipeline.cli.context import scope_of, services
from cio_pipeline.cli.held import exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.pipeline.recovery.expire import expire as delete_old


def expire(
    sync: Annotated[list[str] | None, typer.Argument(help="Ids of syncs; default: all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete delivered files that are old or acknowledged, as each sync's file says.

    Manifests stay. Once a day, the schedule `upkeep_daily` does the same.
    """
    found = services()
    done = delete_old(found, scope_of(found.ledger.registry, sync or []).sync_ids, dry_run=dry_run)
    if as_json:
        print_json(done)
    else:
        rows = [
            (one.sync_id, one.files, one.bytes, one.acknowledged, len(one.left), one.error)
            for one in done
        ]
        columns = ("sync", "files", "bytes", "acknowledged", "left: other bytes", "error")
        title = "Would be deleted" if dry_run else "Deleted"
        print_table(title, columns, rows, "no sync says that files expire")
    exit_unless_done(done)

"""`cio-pipeline quarantine retry`: rows that were held back and are mended by now."""

from cio_pipeline.cli.context import scope_of, services, window_at
from cio_pipeline.cli.held import exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, Syncs
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine


def retry(sync: Syncs = None, as_json: AsJson = False) -> None:
    """Send quarantined rows that are mended by now; those still broken stay."""
    found = services()
    scope = scope_of(found.ledger.registry, sync or [])
    outcomes = retry_quarantine(found, scope.sync_ids)
    commit_window(found, window_at(None), scope.sync_ids)
    if as_json:
        print_json(outcomes)
    else:
        rows = [(o.sync_id, o.export, o.rows, o.files, o.error) for o in outcomes]
        columns = ("sync", "export", "rows sent", "files", "error")
        print_table("Retried", columns, rows, "nothing is in quarantine")
    exit_unless_done(outcomes)

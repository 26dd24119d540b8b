"""`cio-pipeline export --restore`: putting delivered objects back that were lost."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import typer

from cio_pipeline.cli.held import exit_unless_done, tries
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.recovery.restore import Restored, restore, restore_manifests
from cio_pipeline.pipeline.services import Services


def put_back(
    found: Services,
    sync_ids: Collection[str] | None,
    windows: Sequence[Window] | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Restore some syncs, of some windows or of all; exit code 1 if something stays lost."""
    notices: list[str] = []
    telling = replace(found, notice=notices.append)

    def once() -> list[Restored]:
        manifests = restore_manifests(telling, sync_ids)
        return [*manifests, *restore(telling, sync_ids, windows)]

    *earlier, last = tries(once, _held, wait=wait)
    done = [one for some in earlier for one in some if not one.held] + last
    for notice in dict.fromkeys(notices):
        typer.echo(notice, err=True)
    if as_json:
        print_json(done)
    else:
        _show(done)
    exit_unless_done(done)


def _held(done: Sequence[Restored]) -> list[str]:
    return [one.told for one in done if one.held]


def _show(done: Sequence[Restored]) -> None:
    rows = [
        (one.sync_id, one.export, one.key, one.damage, one.rows or None, one.error or "put back")
        for one in done
    ]
    columns = ("sync", "export", "object", "was", "rows", "now")
    print_table("Restored", columns, rows, "nothing is missing or altered")

"""`cio-pipeline export --restore`: putting delivered objects back that were lost."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

import typer

from cio_pipeline.cli.held import EVERY, exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.recovery import restore as use_case
from cio_pipeline.pipeline.services import Services


def restore(
    found: Services,
    sync_ids: Collection[str] | None,
    windows: Sequence[Window] | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Restore some syncs, of some windows or of all; exit code 1 if something stays lost.

    If it is to `wait`, what another run holds is tried again until it is free.
    """
    notices: list[str] = []
    found = replace(found, notice=notices.append)
    done: list[use_case.Restored] = []
    while True:
        now = list(use_case.restore_manifests(found, sync_ids))
        now += use_case.restore(found, sync_ids, windows)
        done += [one for one in now if not (wait and one.held)]
        if not wait or not any(one.held for one in now):
            break
        time.sleep(EVERY)
    for notice in dict.fromkeys(notices):
        typer.echo(notice, err=True)
    if as_json:
        print_json(done)
    else:
        rows = [
            (
                one.sync_id,
                one.export,
                one.key,
                one.damage,
                one.rows or None,
                one.error or "put back",
            )
            for one in done
        ]
        columns = ("sync", "export", "object", "was", "rows", "now")
        print_table("Restored", columns, rows, "nothing is missing or altered")
    exit_unless_done(done)

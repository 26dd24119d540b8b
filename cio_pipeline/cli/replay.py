"""`cio-pipeline replay`: windows that are sent again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.held import exit_unless_done
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, SyncId
from cio_pipeline.cli.progress import progress
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import parse_time
from cio_pipeline.pipeline.recovery.replay import Replayed, Wanted
from cio_pipeline.pipeline.recovery.replay import replay as send_again


def replay(
    sync_id: SyncId,
    begin: Annotated[str, typer.Option("--from", help="The first window's start (UTC).")],
    end: Annotated[str, typer.Option("--to", help="The last window's end (UTC).")],
    export: Annotated[
        list[str] | None, typer.Option("--export", help="Only this export; repeatable.")
    ] = None,
    include_superseded_rows: Annotated[
        bool,
        typer.Option(
            "--include-superseded-rows", help="Also rows that have a newer version by now."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send windows again, with new numbers; positions stay.

    Rows that have a newer version by now are left out. The manifest says which windows are sent
    again.
    """
    wanted = Wanted(
        sync_id, parse_time(begin), parse_time(end), export or (), include_superseded_rows
    )
    if wanted.start >= wanted.end:
        raise InvalidConfig("--from lies after --to, or they are equal.", "Give an earlier --from.")
    with progress(enabled=not as_json) as bar:
        done = send_again(replace(services(), progress=bar), wanted)
    if as_json:
        print_json(done)
    else:
        _show(done)
    exit_unless_done([one.outcome for one in done])


def _show(done: Sequence[Replayed]) -> None:
    rows = [
        (utc(one.end), one.outcome.export, one.outcome.rows, one.outcome.files, one.outcome.error)
        for one in done
    ]
    columns = ("window's end", "export", "rows", "files", "error")
    print_table("Sent again", columns, rows, "nothing")

"""`cio-pipeline report`: a page about feeds, to look at and to send on."""

from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.parameters import require_no_data
from cio_pipeline.reporting import WINDOWS, write_report
from cio_pipeline.wiring import now


def report(
    syncs: Annotated[
        list[str] | None, typer.Argument(metavar="[SYNC]...", help="Ids of syncs; none: all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The file; what is there is written over.")] = Path(
        "report.html"
    ),
    windows: Annotated[int, typer.Option(min=1, help="So many windows one by one.")] = WINDOWS,
) -> None:
    """Write a page about feeds: what came when, files, funnel, opens, what was held back.

    One HTML file that needs no network, for light and dark, desktop and phone. Numbers are read
    from the buckets; what was held back, from the ledger. A sync whose bucket cannot be read is
    named and left out, and the exit code is 1.
    """
    require_no_data(out)
    found = services()
    registry = found.ledger.registry
    chosen = [registry.get(one) for one in dict.fromkeys(syncs)] if syncs else registry.all()
    done = write_report(found, chosen, out, now(), windows)
    typer.echo(f"Wrote {out}: {len(done.told)} of {len(chosen)} syncs have delivered something.")
    for sync_id, error in done.failed:
        typer.echo(f"Left out {sync_id}: {error.message} {error.next_step}".rstrip(), err=True)
    if done.failed:
        raise typer.Exit(1)

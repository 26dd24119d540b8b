"""`cio-pipeline metrics`: for Prometheus, over HTTP, in a file, or printed."""

from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.parameters import put_at
from cio_pipeline.exposition import LedgerCollector, Seen, as_text, serve, to_file
from cio_pipeline.model.findings import Severity
from cio_pipeline.pipeline.alerting.findings import room_of
from cio_pipeline.pipeline.checking.overview import overview
from cio_pipeline.pipeline.services import Services


def metrics(
    port: Annotated[
        int | None, typer.Option(help="Answer at this port, until it is ended.", min=0, max=65535)
    ] = None,
    address: Annotated[str, typer.Option(help="Address to answer at.")] = "127.0.0.1",
    file: Annotated[
        Path | None, typer.Option(help="Write them to this file, once (`….prom`).")
    ] = None,
    most: Annotated[
        int, typer.Option(help="Syncs that are named; others are summed.", min=0)
    ] = 200,
) -> None:
    """Tell Prometheus of lag, rows, bytes, failures and quarantine of each sync.

    They are read from the ledger whenever they are asked for. Without --port or --file they are
    printed.
    """
    found = services()
    collector = LedgerCollector(lambda: _seen(found), most)
    if file is not None:
        to_file(collector, put_at(file))
    elif port is None:
        typer.echo(as_text(collector), nl=False)
    else:
        server, thread = serve(collector, port, address)
        typer.echo(f"http://{address}:{server.server_port}/metrics", err=True)
        thread.join()


def _seen(found: Services) -> Seen:
    alerts = found.ledger.alerts
    counts = {severity.value: 0 for severity in Severity}
    for one in alerts.known(found.clock()):
        if one.closed_at is None:
            counts[one.finding.severity.value] += 1
    down = sum(one.failures > 0 for one in alerts.targets().values())
    return Seen(overview(found), counts, down, room_of(found.spool.root))

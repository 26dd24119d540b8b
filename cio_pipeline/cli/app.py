"""The root of the command line: its verbs, and how errors are shown."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from cio_pipeline import __version__
from cio_pipeline.cli import (
    demo,
    export,
    ledger,
    lifecycle,
    plan,
    quarantine,
    source,
    sync,
    validation,
    verify,
)
from cio_pipeline.model.errors import CioError

app = typer.Typer(
    name="cio-pipeline",
    help="A data-out feed for every workspace, on tables that you own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
lifecycle.add_to(sync.app)
app.add_typer(source.app, name="source")
sync.app.command()(validation.validate)
sync.app.command()(validation.policy)
app.add_typer(sync.app, name="sync")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(ledger.app, name="ledger")
app.add_typer(plan.app, name="plan")
app.command()(export.export)
app.command()(verify.verify)
app.command()(demo.demo)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; known errors are one line with a next step, exit code 1."""
    try:
        app()
    except CioError as error:
        console = Console(stderr=True, highlight=False)
        console.print(Text("Error: ", "bold red") + Text(error.message))
        if error.next_step:
            console.print(Text(error.next_step, "yellow"))
        sys.exit(1)

"""`cio-pipeline version`."""

import typer

from cio_pipeline import __version__


def version() -> None:
    """Print the version."""
    typer.echo(__version__)

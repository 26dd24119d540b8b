"""What another run works on: an exit code of its own."""

from collections.abc import Iterable

import typer

from cio_pipeline.model.failures import Tried

HELD = 3
"""The exit code when nothing failed, and something was left to the run that works on it."""

EVERY = 5.0
"""Seconds between two tries of who waits."""


def exit_unless_done(results: Iterable[Tried]) -> None:
    """Exit with 1 if something failed, with HELD if it was only held; return if all is done."""
    failed = [one for one in results if one.error is not None]
    if failed:
        raise typer.Exit(HELD if all(one.held for one in failed) else 1)

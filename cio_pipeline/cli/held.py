"""What another run works on: an exit code of its own."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import typer

from cio_pipeline.model.failures import Tried

HELD = 3
"""The exit code when nothing failed, and something was left to the run that works on it."""

EVERY = 5.0
"""Seconds between two tries of who waits."""

_T = TypeVar("_T")


def tries(
    once: Callable[[], _T], held: Callable[[_T], Iterable[str]], *, wait: bool
) -> Iterator[_T]:
    """What comes of each try: one, or as many as it takes until nothing is held if it is to wait.

    `held` tells what a try had to leave to another run, and that is told meanwhile.
    """
    while True:
        yield (done := once())
        told = tuple(held(done))
        if not wait or not told:
            return
        for text in told:
            typer.echo(text, err=True)
        time.sleep(EVERY)


def exit_unless_done(results: Iterable[Tried]) -> None:
    """Exit with 1 if something failed, with HELD if it was only held; return if all is done."""
    failed = [one for one in results if one.error is not None]
    if failed:
        raise typer.Exit(HELD if all(one.held for one in failed) else 1)

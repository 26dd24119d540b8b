"""Progress on standard error, so that output stays clean: bars on a terminal, else lines."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cio_pipeline.cli.output import console

Report: TypeAlias = Callable[[str, int, int], None]
"""Takes a title, the units done and the total."""

EVERY = 5.0
"""Seconds between two lines where standard error is no terminal: a log is never silent for long."""


@contextmanager
def progress(*, enabled: bool = True) -> Generator[Report]:
    """A bar per title on a terminal, else a line every few seconds; nothing if not enabled."""
    terminal = console(stderr=True)
    if not enabled:
        yield _silent
    elif terminal.is_terminal:
        with _bars(terminal) as report:
            yield report
    else:
        with _lines(terminal) as report:
            yield report


def _silent(title: str, done: int, total: int) -> None:
    pass


@contextmanager
def _bars(terminal: Console) -> Generator[Report]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=terminal) as bar:

        def report(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bar.add_task(title, total=total)
            bar.update(tasks[title], completed=done, total=total)

        yield report


@contextmanager
def _lines(terminal: Console) -> Generator[Report]:
    """The latest report, when there is a first one, every few seconds, and at the end."""
    began, lock, ended = monotonic(), Lock(), Event()
    latest = told = ""

    def tell() -> None:
        nonlocal told
        with lock:
            if latest:
                terminal.print(f"{latest}, {monotonic() - began:.0f} s", soft_wrap=True)
                told = latest

    def tick() -> None:
        while not ended.wait(EVERY):
            tell()

    def report(title: str, done: int, total: int) -> None:
        nonlocal latest
        latest = f"{title}: {done:,} of {total:,}" if total else latest
        if not told:
            tell()

    thread = Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()
        if latest != told:
            tell()

"""A core of its own for each worker: a quarter less CPU time than if its threads wander.

Deltalake and Polars read and write little in a test, in several threads. On one core they do not
wait for one another's. What is tested by threads or processes of its own has all cores.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ALL = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
PROCESSES = {"deploy", "faults", "sakila", "ui", "warehouse", "workers"}
"""Folders of tests that start several."""

SEVERAL = {"Barrier", "Thread", "ThreadPoolExecutor", "multiprocessing", "subprocess", "threading"}
"""What a module has that starts some itself."""


def own() -> list[int]:
    """The core of this worker; all of them for who runs a few tests alone."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    return [ALL[int(worker) % len(ALL)]] if worker and ALL else ALL


def cores_of(path: Path, module: ModuleType | None) -> list[int]:
    """The cores of a test."""
    alone = path.parent.name not in PROCESSES and not SEVERAL & vars(module or sys).keys()
    return own() if alone else ALL


def run_on(cores: list[int]) -> None:
    """From now on, for this thread, and for those and the processes that it starts."""
    if cores:
        os.sched_setaffinity(0, cores)


@contextmanager
def all_cores() -> Iterator[None]:
    """For a server that is started within."""
    before = sorted(os.sched_getaffinity(0)) if ALL else []
    run_on(ALL)
    try:
        yield
    finally:
        run_on(before)

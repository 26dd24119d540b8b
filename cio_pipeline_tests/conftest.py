"""Fixtures that all tests share."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from cio_pipeline.settings import Settings
from cio_pipeline_tests import cores
from cio_pipeline_tests.azurite import azurite, container
from cio_pipeline_tests.compiling import compile_once
from cio_pipeline_tests.postgres import postgres_cluster
from cio_pipeline_tests.world import World

__all__ = ["azurite", "container", "postgres_cluster"]
"""Fixtures of a session: each module that imported one itself would start a server of its own."""

compile_once()

MEMORY = Path("/dev/shm")  # noqa: S108 - names in there are made by tempfile
ROOM = 4 * 2**30
"""Bytes that must be free in memory for temporary folders to lie there; a run takes one GiB."""
if (
    "TMPDIR" not in os.environ
    and os.access(MEMORY, os.W_OK)
    and shutil.disk_usage(MEMORY).free > ROOM
    # As containers have it: some tests run what they write.
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
):
    # Tests make many small files, and much of the product waits until each is on the disk.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# Polars makes as many threads as there would be on all cores.
cores.run_on(cores.own())
os.environ.setdefault("POLARS_MAX_THREADS", str(os.cpu_count()))
# What make or a shell names is somebody's own: no test reads or writes there.
for name in ("DAGSTER_HOME", *(f"CIO_{one.name.upper()}" for one in fields(Settings))):
    os.environ.pop(name, None)
# Tests run windows of any day.
os.environ["CIO_FIRST_WINDOW"] = "2026-01-01"
# What is read of the command line is as wide as in a log.
os.environ.pop("COLUMNS", None)

# The machine may be busy: what is tested is what code does, not how fast.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


FIRST = ("ui", "sakila")
"""Folders of tests that take minutes in one piece; the day in the UI mostly waits."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    cores.run_on(cores.cores_of(item.path, getattr(item, "module", None)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole product in a temporary folder."""
    return World(tmp_path)


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with the command line on it; paths of local destinations are relative to it."""
    monkeypatch.setenv("CIO_HOME", str(world.root))
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(world.root)
    return world


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that no link from a temporary folder reaches."""
    here = tmp_path.stat().st_dev
    places = (MEMORY, Path("/var/tmp"), Path(__file__).parent)  # noqa: S108
    writable = [one for one in places if os.access(one, os.W_OK)]
    other = next((one for one in writable if one.stat().st_dev != here), None)
    if other is None:
        pytest.skip("all that can be written to is one disk")
    with TemporaryDirectory(dir=other) as folder:
        yield Path(folder)


@pytest.fixture
def few_files() -> Iterator[None]:
    """A limit of 256 open files, beside those that are open already."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256 + there, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first: each worker begins with a part of the list, and who is done takes others'.

    Files stay in one piece, since what a file makes once would be made again.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = [item for folder in FIRST for item in items if item.path.parent.name == folder]
    histories = [item for item in items if item.path.parent.name == "convergence"]
    apart = {*first, *histories}
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item not in apart:
            files.setdefault(item.path, []).append(item)
    slow = [file for file in files.values() if any(one.get_closest_marker("slow") for one in file)]
    others = iter([one for file in files.values() if file not in slow for one in file])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        # While the first worker waits for what must stay in one process, others take its histories.
        own = [*(first if worker == 0 else ()), *histories[worker::workers]]
        own += [one for file in slow[worker::workers] for one in file]
        ordered += [*own, *islice(others, max(0, size - len(own)))]
    items[:] = [*ordered, *others]

"""P: what a first export holds in memory does not grow with the table."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from cio_pipeline.files.names import parse_name
from cio_pipeline.pipeline.planning import cohorts
from cio_pipeline.sources.postgres.source import PostgresSource
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.things import THINGS
from cio_pipeline_tests.world import World, during

ARENAS = """
import ctypes, sys, threading
from cio_pipeline.sources.postgres.connect import Server
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
def arenas():
    file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    return open(sys.argv[2]).read().count("<heap nr=")
with Server(sys.argv[1]).reading("things"):
    before = arenas()
    threads = [threading.Thread(target=libc.malloc, args=[5000]) for _ in range(6)]
    for one in threads: one.start()
    for one in threads: one.join()
    print(arenas() - before)
"""
"""How many arenas of glibc six more threads get: what is freed in one, others do not use."""

SYNCS = {"a": 1, "b": 2, "c": 3}
BLOCK = 8192


def rows_by_slice(world: World, *sync_ids: str, blocks: int) -> Counter[int]:
    """How many rows of all these syncs each slice of a first export of metrics sends."""
    for sync_id in sync_ids:
        world.sync(sync_id, SYNCS[sync_id])
    rows = [
        {"workspace_id": number % len(SYNCS) + 1, "event_id": f"m{number}"} for number in range(21)
    ]
    world.commit("metrics", *rows, at=during(0))
    source = world.services.source
    assert isinstance(source, PostgresSource)
    few = replace(source, bytes_at_once=blocks * BLOCK)
    outcomes = world.run(0, "metrics", services=replace(world.services, source=few))
    assert not [one.error for one in outcomes if one.error]
    found: Counter[int] = Counter()
    for sync_id in sync_ids:
        for name in world.names(sync_id):
            height = pl.read_parquet(world.folder(sync_id) / name).height
            found[parse_name(name).part or 0] += height
        assert world.verify(sync_id).ok
    return found


def test_p_a_slice_of_many_workspaces_is_what_fits_in_memory(world: World) -> None:
    """Few rows of each fill no row group: all that the slice has would be held until its end."""
    found = rows_by_slice(world, *SYNCS, blocks=6)
    assert found.total() == 21
    assert 3 < max(found.values()) <= 6, "a row lies in a block"


@pytest.mark.parametrize(("syncs", "slices"), [("a", 1), ("abc", 5)])
def test_p_of_a_few_workspaces_row_groups_are_held(
    world: World, monkeypatch: pytest.MonkeyPatch, syncs: str, slices: int
) -> None:
    monkeypatch.setattr(cohorts, "ROW_GROUP", 3)
    assert len(rows_by_slice(world, *syncs, blocks=6)) == slices


def test_p_long_values_beside_a_table_count_as_its_room(base: Made) -> None:
    rows = "SELECT 1, g::text, {} FROM generate_series(1, 500) g"
    long = "(SELECT string_agg(md5(g::text || h), '') FROM generate_series(1, 200) h)"
    found: list[int] = []
    for value in ("'short'", long):
        base.do(f"TRUNCATE things; INSERT INTO things {rows.format(value)}", "ANALYZE things")
        at_once = base.source.rows_at_once(THINGS, base.things())
        assert at_once is not None
        found.append(at_once)
    short, beside = found
    assert beside < 96 * 1024**2 // 6400 < short


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_info is of glibc")
def test_p_threads_that_read_share_what_is_freed(base: Made, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ARENAS, base.url, str(tmp_path / "told")]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"0"

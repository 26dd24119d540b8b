"""Slices of snapshots: contiguous, always the same, and never more rows than asked for."""

import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.errors import VersionGone
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.delta_scan import FileRows, sliced, within
from cio_pipeline.sources.fit import shaped
from cio_pipeline_tests.sources.test_snapshots import FEED_ON, mark_deleted
from cio_pipeline_tests.sources.things import NOTES, THINGS, at_version, latest, put, rows, source


def several_files(folder: Path) -> DeltaSource:
    """17 rows in 5 files."""
    found = source(folder, NOTES)
    for n, size in enumerate((3, 1, 6, 2, 5)):
        put(found, {f"{n}-{m}": "x" for m in range(size)}, n, NOTES)
    return found


def keys(frame: pl.LazyFrame) -> list[str]:
    return frame.collect(engine="streaming")["key"].to_list()


def joined(lists: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(lists))


@given(total=st.integers(0, 500), rows=st.integers(1, 200))
def test_slices_follow_one_another_and_are_of_equal_size(total: int, rows: int) -> None:
    found = sliced(total, rows)
    assert [one.start for one in found] == [0, *(one.stop for one in found[:-1])]
    assert found[-1].stop == total
    sizes = {one.stop - one.start for one in found}
    assert max(sizes) <= rows
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == max(1, -(-total // rows))


@given(sizes=st.lists(st.integers(0, 9), max_size=8), rows=st.integers(1, 12))
def test_slices_read_every_row_of_the_files_once_and_in_order(sizes: list[int], rows: int) -> None:
    files = [(f"f{n}", size) for n, size in enumerate(sizes)]
    read = [
        (one.uri, row)
        for part in sliced(sum(sizes), rows)
        for one in within(files, part)
        for row in range(
            one.start, dict(files)[one.uri] if one.rows is None else one.start + one.rows
        )
    ]
    assert read == [(uri, row) for uri, size in files for row in range(size)]


def test_a_file_that_a_slice_has_all_of_is_read_whole() -> None:
    files = [("a", 4), ("b", 2), ("c", 4)]
    assert list(within(files, TableSlice(2, 7))) == [
        FileRows("a", 2, 2),
        FileRows("b"),
        FileRows("c", 0, 1),
    ]


@pytest.mark.parametrize("rows_of_slice", [1, 2, 4, 7, 16, 17, 99])
def test_d6_the_slices_of_a_snapshot_are_the_snapshot(tmp_path: Path, rows_of_slice: int) -> None:
    found = several_files(tmp_path)
    cut = latest(found, NOTES)
    parts = found.slices(NOTES, cut, rows_of_slice)
    read = [keys(found.snapshot(NOTES, cut, part)) for part in parts]
    assert joined(read) == keys(found.snapshot(NOTES, cut))
    assert [len(one) for one in read] == [part.stop - part.start for part in parts]
    assert max(len(one) for one in read) <= rows_of_slice


def test_d6_slices_of_a_cut_stay_the_same_whatever_happens_to_the_table(tmp_path: Path) -> None:
    found = several_files(tmp_path)
    cut = latest(found, NOTES)
    before = found.slices(NOTES, cut, 4)
    read = [keys(found.snapshot(NOTES, cut, part)) for part in before]
    put(found, {"more": "x"}, 9, NOTES)
    DeltaTable(tmp_path / "notes").optimize.compact()
    DeltaTable(tmp_path / "notes").create_checkpoint()
    assert found.slices(NOTES, cut, 4) == before
    assert [keys(found.snapshot(NOTES, cut, part)) for part in before] == read
    assert len(found.slices(NOTES, latest(found, NOTES), 4)) == 5


def test_an_empty_table_is_one_slice_without_rows(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    (part,) = found.slices(NOTES, latest(found, NOTES), 10)
    assert keys(found.snapshot(NOTES, latest(found, NOTES), part)) == []


def test_files_without_statistics_are_counted_by_their_footers(tmp_path: Path) -> None:
    found = several_files(tmp_path)
    cut = latest(found, NOTES)
    expected = keys(found.snapshot(NOTES, cut))
    for entry in sorted((tmp_path / "notes/_delta_log").glob("*.json"))[2:4]:
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            action.get("add", {}).pop("stats", None)
        entry.write_text("\n".join(map(json.dumps, actions)))
    parts = found.slices(NOTES, cut, 4)
    assert parts == sliced(17, 4)
    assert joined(keys(found.snapshot(NOTES, cut, part)) for part in parts) == expected
    for file in (tmp_path / "notes").glob("*.parquet"):
        file.unlink()
    with pytest.raises(VersionGone, match="notes"):
        found.slices(NOTES, cut, 4)


def test_rows_deleted_by_deletion_vectors_are_in_no_slice(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    put(found, {str(n): "x" for n in range(6)}, 1, NOTES)
    put(found, {"more": "x"}, 2, NOTES)
    before = keys(found.snapshot(NOTES, latest(found, NOTES)))
    mark_deleted(tmp_path / "notes", 1, row=3)
    cut = latest(found, NOTES)
    parts = found.slices(NOTES, cut, 2)
    read = [keys(found.snapshot(NOTES, cut, part)) for part in parts]
    assert joined(read) == keys(found.snapshot(NOTES, cut)) == [k for k in before if k != "3"]
    assert len(parts) == 4, "deleted rows are counted: no file has to be read for it"


def test_partitioned_tables_are_sliced_alike(tmp_path: Path) -> None:
    found = DeltaSource(str(tmp_path))
    for name in ("a b", "c/d", "é%"):
        some = shaped(rows({f"{name}-{n}": name for n in range(3)}), THINGS)
        write_deltalake(
            tmp_path / "things", some, mode="append", partition_by=["value"], configuration=FEED_ON
        )
    cut = latest(found)
    parts = found.slices(THINGS, cut, 2)
    assert parts == sliced(9, 2)
    read = joined(keys(found.snapshot(THINGS, cut, part)) for part in parts)
    assert read == keys(found.snapshot(THINGS, cut))


def test_slices_of_a_version_that_is_gone_name_it(tmp_path: Path) -> None:
    found = several_files(tmp_path)
    cut = at_version(found, 1, NOTES)
    DeltaTable(tmp_path / "notes").create_checkpoint()
    for version in range(3):
        (tmp_path / "notes/_delta_log" / f"{version:020d}.json").unlink()
    with pytest.raises(VersionGone, match="notes cannot be read at version 1"):
        found.slices(NOTES, cut, 2)

"""Tables that cannot be read, or not any more: named truly, before the first file (D6, O1)."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import (
    CioError,
    ColumnMismatch,
    SourceError,
    SourceUnavailable,
    VersionGone,
)
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.delta_errors import translate
from cio_pipeline.sources.status import table_statuses
from cio_pipeline_tests.sources.crafted import Crafted, removed, without, without_by_file
from cio_pipeline_tests.sources.test_one_reader import MORE, OLD, agree, append, narrow, told
from cio_pipeline_tests.sources.things import NOTES, THINGS, at_version, latest, minute, source

parquet = pl.DataFrame.write_parquet


def made(root: Path, *features: str, **configuration: Any) -> Crafted:
    """A table of two commits with rows, after the empty one."""
    lake = Crafted(root, parquet, features=("deletionVectors", *features))
    lake.commit(lake.protocol(), lake.metadata(**configuration), state=OLD[:0])
    lake.commit(*lake.added(OLD), state=OLD)
    lake.commit(*lake.added(MORE), state=pl.concat([OLD, MORE]))
    return lake


def ways(lake: Crafted) -> list[Callable[[], Any]]:
    """All ways in which a run comes to read a table."""
    found = DeltaSource(str(lake.root))
    last, now = at(lake, len(lake.states) - 1), minute(99_999_999)
    return [
        lambda: found.look(THINGS, now, None, now),
        lambda: found.slices(THINGS, last, 10),
        lambda: found.snapshot(THINGS, last).collect(),
        lambda: found.changes(THINGS, at(lake, 1), last).collect(),
    ]


def at(_: Crafted, version: int) -> TableCut:
    return TableCut("0a0a0a0a-0000-4000-8000-000000000001", version)


def scrubbed(error: CioError, lake: Crafted) -> bool:
    text = str(error)
    return not any(one in text for one in (str(lake.root), "\x1b", "Kernel", ".parquet", "://"))


def widened(lake: Crafted) -> None:
    """A column that was a date before."""
    action = lake.metadata()
    schema = json.loads(action["metaData"]["schemaString"])
    changes = [{"fromType": "date", "toType": "timestamp"}]
    next(f for f in schema["fields"] if f["name"] == "at")["metadata"] = {
        "delta.typeChanges": changes
    }
    action["metaData"]["schemaString"] = json.dumps(schema)
    lake.commit(action)


MAPPED = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "6"}
UNFIT: dict[str, Callable[[Path], Crafted]] = {
    "variantType": lambda root: made(root, "variantType"),
    "madeUpFeature": lambda root: made(root, "madeUpFeature"),
    "catalogManaged": lambda root: made(root, "catalogManaged"),
    "columnMapping (name)": lambda root: made(root, "columnMapping", **MAPPED),
}


@pytest.mark.parametrize("feature", UNFIT)
def test_a_feature_that_is_not_read_is_named_by_status_and_before_the_first_file(
    tmp_path: Path, feature: str
) -> None:
    source(tmp_path, NOTES)
    lake = UNFIT[feature](tmp_path)
    things, notes = table_statuses(str(tmp_path), [THINGS, NOTES])
    assert feature in "; ".join(things.problems)
    assert notes.problems == ()
    for way in ways(lake):
        with pytest.raises(SourceError) as caught:
            way()
        assert f"needs {feature} of Delta, which cannot be read" in str(caught.value)
        assert scrubbed(caught.value, lake)


def test_a_column_that_was_widened_from_another_kind_is_named(tmp_path: Path) -> None:
    lake = made(tmp_path, "typeWidening")
    widened(lake)
    (things,) = table_statuses(str(tmp_path), [THINGS])
    assert things.problems == (
        "Table things needs typeWidening (of at) of Delta, which cannot be read.",
    )
    for way in ways(lake):
        with pytest.raises(SourceError, match=r"needs typeWidening \(of at\) of Delta"):
            way()


@pytest.mark.parametrize("shape", [append, told])
@pytest.mark.parametrize(
    "feature",
    ["vacuumProtocolCheck", "v2Checkpoint", "timestampNtz", "typeWidening", "typeWidening-preview"],
)
def test_d6_features_that_change_nothing_for_readers_are_read(
    tmp_path: Path, feature: str, shape: Callable[[Crafted], None]
) -> None:
    """Among them integers that were widened: the files are narrower than the table."""
    agree(Crafted(tmp_path, narrow, features=("deletionVectors", feature)), shape)


def test_a_change_feed_that_was_off_for_a_while_is_named(tmp_path: Path) -> None:
    lake = made(tmp_path)
    lake.commit(lake.metadata(feed=False))
    lake.commit(*lake.added(things("off")))
    lake.commit(lake.metadata())
    lake.commit(*lake.added(things("on")))
    found = DeltaSource(str(tmp_path))
    for lower in (0, 2, 3):
        with pytest.raises(SourceError, match=r"things has no change feed.*enableChangeDataFeed"):
            found.changes(THINGS, at(lake, lower), at(lake, 6))
        (status,) = table_statuses(str(tmp_path), [THINGS], needed={"things": at(lake, lower)})
        assert "no change feed" in status.problems[0]
    (status,) = table_statuses(str(tmp_path), [THINGS], needed={"things": at(lake, 4)})
    assert status.problems == ()
    assert found.changes(THINGS, at(lake, 4), at(lake, 6)).collect()["key"].to_list() == ["on"]
    assert found.changes(THINGS, at(lake, 0), at(lake, 2)).collect().height == OLD.height + 2


def test_a_change_feed_that_was_off_while_nothing_changed_does_not_matter(tmp_path: Path) -> None:
    lake = made(tmp_path)
    lake.commit(lake.metadata(feed=False))
    lake.commit(lake.metadata())
    lake.commit(*lake.added(things("on")))
    found = DeltaSource(str(tmp_path))
    assert found.changes(THINGS, at(lake, 2), at(lake, 5)).collect()["key"].to_list() == ["on"]


def things(key: str) -> pl.DataFrame:
    return OLD[:1].with_columns(key=pl.lit(key))


# --- what is missing, and why --------------------------------------------------------------


ERROR_LIKE = "connection timed out, forbidden; column not found"


def test_a_missing_file_is_called_so_whatever_its_folder_is_called(tmp_path: Path) -> None:
    lake = made(tmp_path / ERROR_LIKE)
    for file in lake.folder.glob("*.parquet"):
        file.unlink()
    found = DeltaSource(str(lake.root))
    for way in (
        lambda: found.snapshot(THINGS, at(lake, 2)).collect(),
        lambda: found.changes(THINGS, at(lake, 0), at(lake, 2)).collect(),
    ):
        with pytest.raises(VersionGone, match="things cannot be read at version 2"):
            way()
    (status,) = table_statuses(str(lake.root), [THINGS])
    assert "were removed" in status.problems[0]


def test_a_missing_version_is_called_so_whatever_its_folder_is_called(tmp_path: Path) -> None:
    lake = made(tmp_path / ERROR_LIKE)
    DeltaTable(lake.folder).create_checkpoint()
    for version in range(3):
        (lake.folder / "_delta_log" / f"{version:020d}.json").unlink()
    with pytest.raises(VersionGone, match="things cannot be read at version 1"):
        DeltaSource(str(lake.root)).snapshot(THINGS, at(lake, 1))


def test_a_shallow_clone_is_read_and_its_missing_files_are_named_as_such(tmp_path: Path) -> None:
    """Its log names files of another table, by URIs."""
    other = Crafted(tmp_path / "a b#c", parquet)
    adds = other.added(OLD)
    for add in adds:
        add["add"]["path"] = (other.folder / add["add"]["path"]).as_uri()
    lake = Crafted(tmp_path / "clone", parquet)

    def cloned(lake: Crafted) -> None:
        lake.commit(*adds, state=pl.concat([OLD.with_columns(key=pl.col("key") + "!"), OLD]))
        marked = [without(add, [0]) for add in adds]
        left = pl.concat([OLD.with_columns(key=pl.col("key") + "!"), OLD[1:]])
        lake.commit(*map(removed, adds), *marked, state=left)

    lake.create()
    first = OLD.with_columns(key=pl.col("key") + "!")
    lake.commit(*lake.added(first), state=first)
    cloned(lake)
    found = DeltaSource(str(lake.root))
    assert found.snapshot(THINGS, at(lake, 2)).collect().height == 2 * OLD.height
    assert found.changes(THINGS, at(lake, 1), at(lake, 3)).collect().height == OLD.height - 1
    next(other.folder.glob("*.parquet")).unlink()
    for way in ways(lake)[2:]:
        with pytest.raises(VersionGone, match="shallow clone, and files of the table that it was"):
            way()


def damaged_file(lake: Crafted) -> None:
    for file in lake.folder.glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-20])


def damaged_vector(lake: Crafted) -> None:
    adds = lake.added(things("x"))
    lake.commit(*(without_by_file(lake.folder, add, [0]) for add in adds))
    (file,) = lake.folder.rglob("*.bin")
    file.write_bytes(file.read_bytes()[:-4] + struct.pack(">I", 1))


def missing_vector(lake: Crafted) -> None:
    damaged_vector(lake)
    next(lake.folder.rglob("*.bin")).unlink()


def other_types(lake: Crafted) -> None:
    """A file whose column holds numbers where the table has text."""
    lake.encode = lambda rows, path: rows.with_columns(value=pl.lit(1)).write_parquet(path)
    lake.commit(*lake.added(things("x")))


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (damaged_file, SourceError, "cannot be read at version 2"),
        (damaged_vector, SourceError, "things"),
        (missing_vector, VersionGone, "files or log entries that it needs were removed"),
        (other_types, ColumnMismatch, "a column of another type than the table"),
    ],
)
def test_what_is_damaged_is_not_called_removed_and_the_reverse(
    tmp_path: Path, spoil: Callable[[Crafted], None], error: type[SourceError], said: str
) -> None:
    lake = made(tmp_path)
    source(tmp_path, NOTES)
    spoil(lake)
    with pytest.raises(error, match=said) as caught:
        ways(lake)[3]()
    assert type(caught.value) is error
    assert scrubbed(caught.value, lake)
    spoilt, notes = table_statuses(str(tmp_path), [THINGS, NOTES])
    # A sample reads the identities alone.
    assert len(spoilt.problems) == (0 if spoil is other_types else 1)
    assert notes.problems == ()


def test_a_log_entry_that_is_cut_off_is_named(tmp_path: Path) -> None:
    lake = made(tmp_path)
    DeltaTable(lake.folder).create_checkpoint()
    entry = lake.folder / "_delta_log" / f"{1:020d}.json"
    entry.write_text(entry.read_text()[:-9])
    with pytest.raises(SourceError, match="Version 1 of table things has a log entry that cannot"):
        DeltaSource(str(tmp_path)).changes(THINGS, at(lake, 0), at(lake, 2))


@pytest.mark.usefixtures("few_files")
def test_more_files_than_may_be_open_are_read(tmp_path: Path) -> None:
    """Each commit has files in two partitions, one of them with a deletion vector."""
    lake = Crafted(tmp_path, parquet, ("flag",))
    lake.create()
    adds = lake.added(OLD)
    for number in range(150):
        more = [{"add": dict(add["add"])} for add in adds * 2]
        for nth, add in enumerate(more):
            name = f"{number}-{nth}.parquet"
            os.link(lake.folder / add["add"]["path"], lake.folder / name)
            add["add"]["path"] = name
        lake.commit(*more[:3], without(more[3], [0]))
    found = DeltaSource(str(tmp_path))
    assert found.snapshot(THINGS, at(lake, 150)).collect().height == 7 * 150
    assert found.changes(THINGS, at(lake, 0), at(lake, 150)).collect().height == 4


def test_the_limit_of_open_files_is_called_that() -> None:
    told = translate(OSError(24, "Too many open files", "/a/timeout/x.parquet"), "things", 3)
    assert isinstance(told, SourceUnavailable)
    assert "things cannot be read: this process has reached its limit of open files" in str(told)
    assert "ulimit -n" in str(told)
    library = DeltaError("\x1b[31mGeneric LocalFileSystem error: Too many open files (os error 24)")
    assert str(translate(library, "things", 3)) == str(told)


def test_all_columns_of_a_status_come_with_a_problem(tmp_path: Path) -> None:
    lake = made(tmp_path, "columnMapping", **MAPPED)
    (status,) = table_statuses(str(tmp_path), [THINGS])
    assert (status.version, status.oldest_version, status.rows) == (2, 0, OLD.height + MORE.height)
    assert status.last_change is not None
    assert status.change_feed
    assert set(lake.columns) == set(source_schema(THINGS))
    assert latest(DeltaSource(str(tmp_path))) == at_version(DeltaSource(str(tmp_path)), 2)

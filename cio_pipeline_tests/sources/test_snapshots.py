"""Snapshots of Delta tables: contents, order, and files that are gone (D6)."""

import json
import shutil
import struct
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake

from cio_pipeline.model.changeset import CHANGE, DELETED
from cio_pipeline.model.cuts import TableCut, TableSlice
from cio_pipeline.model.errors import SourceError, SourceGone, SourceUnavailable, VersionGone
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.delta_errors import translate
from cio_pipeline.sources.fit import shaped
from cio_pipeline_tests.sources.things import (
    NOTES,
    THINGS,
    at_version,
    latest,
    put,
    rows,
    source,
    values_of,
)

FEED_ON = {"delta.enableChangeDataFeed": "true"}


def test_d6_a_snapshot_is_the_table_at_its_cut(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2", "b": None}, at=20)
    assert values_of(found.snapshot(THINGS, at_version(found, 0))) == {}
    assert values_of(found.snapshot(THINGS, at_version(found, 1))) == {"a": "1"}
    assert values_of(found.snapshot(THINGS, at_version(found, 2))) == {"a": "2", "b": None}


def test_d6_rows_come_in_the_same_order_whatever_the_log_looks_like(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    for n in range(8):
        put(found, {f"{n}-{m}": "x" for m in range(5)}, n, NOTES)
    cut = latest(found, NOTES)
    before = found.snapshot(NOTES, cut).collect()
    files = sorted((tmp_path / "notes").glob("*.parquet"))
    assert before["key"].equals(pl.concat(map(pl.read_parquet, files))["key"])
    DeltaTable(tmp_path / "notes").create_checkpoint()
    DeltaTable(tmp_path / "notes").optimize.compact()
    DeltaTable(tmp_path / "notes").create_checkpoint()
    assert found.snapshot(NOTES, cut).collect().equals(before)
    assert found.snapshot(NOTES, cut).collect(engine="streaming").equals(before)


def test_d6_columns_added_later_are_null_in_older_files(tmp_path: Path) -> None:
    found = DeltaSource(str(tmp_path))
    old = shaped(rows({"a": "1"}), THINGS).drop("tags", "value")
    write_deltalake(tmp_path / "things", old, configuration=FEED_ON)
    new = shaped(rows({"b": "2"}, tags=["t"]), THINGS)
    write_deltalake(tmp_path / "things", new, mode="append", schema_mode="merge")
    snapshot = found.snapshot(THINGS, latest(found)).sort("key").collect()
    assert snapshot["value"].to_list() == [None, "2"]
    assert snapshot["tags"].to_list() == [None, ["t"]]
    assert snapshot.columns == [column.name for column in THINGS.columns]


def test_partitioned_tables_can_be_read(tmp_path: Path) -> None:
    found = DeltaSource(str(tmp_path))
    good = shaped(rows({"a": "1", "b": "2"}), THINGS)
    write_deltalake(tmp_path / "things", good, partition_by=["workspace_id"], configuration=FEED_ON)
    more = good.with_columns(workspace_id=pl.lit(2, pl.Int64))
    write_deltalake(tmp_path / "things", more, mode="append")
    snapshot = found.snapshot(THINGS, latest(found)).collect()
    assert sorted(snapshot["workspace_id"]) == [1, 1, 2, 2]
    assert snapshot.schema == good.schema
    changed = found.changes(THINGS, at_version(found, 0), latest(found)).collect()
    assert changed["workspace_id"].to_list() == [2, 2]


def test_files_of_other_workspaces_are_not_opened(tmp_path: Path) -> None:
    """A sync that begins costs what its workspace holds, in a table partitioned by workspaces."""
    found = DeltaSource(str(tmp_path))
    good = shaped(rows({"a": "1"}), THINGS)
    every = pl.concat(good.with_columns(workspace_id=pl.lit(n, pl.Int64)) for n in (1, 2, 3, None))
    write_deltalake(
        tmp_path / "things", every, partition_by=["workspace_id"], configuration=FEED_ON
    )
    shutil.rmtree(tmp_path / "things" / "workspace_id=3")
    cut = latest(found)
    read = found.snapshot(THINGS, cut, workspaces=[2]).collect()
    assert sorted(read["workspace_id"].to_list(), key=str) == [2, None]
    part = found.snapshot(THINGS, cut, TableSlice(0, 4), workspaces={1, 2}).collect()
    assert sorted(part["workspace_id"].to_list(), key=str) == [1, 2, None]
    with pytest.raises(VersionGone):
        found.snapshot(THINGS, cut)


def test_vacuumed_files_are_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2"}, at=20)
    DeltaTable(tmp_path / "things").vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False
    )
    assert values_of(found.snapshot(THINGS, at_version(found, 2))) == {"a": "2"}
    with pytest.raises(VersionGone, match="things cannot be read at version 1"):
        found.snapshot(THINGS, at_version(found, 1))


def test_versions_whose_log_is_gone_are_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    cut = at_version(found, 0)
    put(found, {"a": "2"}, at=20)
    DeltaTable(tmp_path / "things").create_checkpoint()
    for version in range(2):
        (tmp_path / "things/_delta_log" / f"{version:020d}.json").unlink()
    with pytest.raises(VersionGone, match="things cannot be read at version 0"):
        found.snapshot(THINGS, cut)


def test_errors_at_collect_time_can_be_translated(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    snapshot = found.snapshot(THINGS, latest(found))
    for file in (tmp_path / "things").glob("*.parquet"):
        file.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        snapshot.collect()
    assert isinstance(translate(caught.value, "things", 1), VersionGone)
    assert isinstance(translate(OSError("error sending request"), "t", 1), SourceUnavailable)
    assert translate(ValueError("bug"), "things", 1) is None
    assert isinstance(translate(OSError("404 <Code>NoSuchBucket"), "things", None), SourceGone)
    signed = translate(OSError("403 Forbidden https://x/?sig=SECRET"), "things", 1)
    assert isinstance(signed, SourceError)
    assert "SECRET" not in str(signed)


def test_d6_rows_deleted_by_deletion_vectors_are_left_out(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    put(found, {str(n): "x" for n in range(6)}, 1, NOTES)
    put(found, {"more": "x"}, 2, NOTES)
    deleted_at = mark_deleted(tmp_path / "notes", 1, row=3)
    snapshot = found.snapshot(NOTES, latest(found, NOTES))
    assert set(values_of(snapshot)) == {"0", "1", "2", "4", "5", "more"}
    assert snapshot.collect(engine="streaming").equals(snapshot.collect())
    before = TableCut(latest(found, NOTES).table_id, deleted_at - 1)
    assert len(values_of(found.snapshot(NOTES, before))) == 7
    changes = found.changes(NOTES, before, latest(found, NOTES)).collect()
    assert changes[CHANGE].to_list() == [DELETED]


def mark_deleted(table: Path, version: int, row: int) -> int:
    """Delete one row of the file added in a version by a deletion vector, as Spark does."""
    DeltaTable(table).alter.add_feature(
        [TableFeatures.DeletionVectors], allow_protocol_versions_increase=True
    )
    log = table / "_delta_log"
    entries = [json.loads(line) for line in (log / f"{version:020d}.json").read_text().splitlines()]
    add = next(entry["add"] for entry in entries if "add" in entry)
    bitmap = struct.pack("<IQI", 1681511377, 1, 0) + struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, row)
    vector = {
        "storageType": "i",
        "pathOrInlineDv": z85(bitmap + b"\0" * (-len(bitmap) % 4)),
        "sizeInBytes": len(bitmap),
        "cardinality": 1,
    }
    remove = {"path": add["path"], "dataChange": True, "deletionTimestamp": 1, "size": add["size"]}
    remove |= {"extendedFileMetadata": True, "partitionValues": {}}
    actions = [
        {"commitInfo": {"timestamp": 1, "operation": "DELETE"}},
        {"remove": remove},
        {"add": {**add, "deletionVector": vector}},
    ]
    last = DeltaTable(table).version() + 1
    (log / f"{last:020d}.json").write_text("\n".join(map(json.dumps, actions)))
    return last


def z85(body: bytes) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    words = struct.unpack(f">{len(body) // 4}I", body)
    return "".join(digits[word // 85**n % 85] for word in words for n in (4, 3, 2, 1, 0))


def test_column_mapping_is_refused(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    log = tmp_path / "things/_delta_log" / f"{0:020d}.json"
    log.write_text(
        log.read_text().replace(
            '"delta.enableChangeDataFeed":"true"',
            '"delta.enableChangeDataFeed":"true","delta.columnMapping.mode":"name"',
        )
    )
    with pytest.raises(SourceError, match="things"):
        found.snapshot(THINGS, latest(found))

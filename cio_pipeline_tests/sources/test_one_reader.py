"""Snapshots and changes of one table agree, whatever wrote its files and its log (D6).

Each physical encoding and each way of partitioning meets each shape that a log can have. What must
come is what was committed; the changes between two versions are the difference of the two.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.model.changeset import CHANGE, CHANGED, DELETED, NEW
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline_tests.sources.crafted import (
    Action,
    Crafted,
    Encode,
    removed,
    without,
    without_by_file,
)
from cio_pipeline_tests.sources.things import THINGS, at_version

LAST = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, 10, 30, 1, 5000, tzinfo=UTC)


def things(*rows: tuple[str, str | None, datetime | None]) -> pl.DataFrame:
    """Rows from key, value and time."""
    found = [
        {
            "workspace_id": n % 2,
            "key": key,
            "value": value,
            "tags": ["é", None],
            "at": at,
            "flag": n % 2 == 0,
        }
        for n, (key, value, at) in enumerate(rows)
    ]
    return pl.DataFrame(found, schema=source_schema(THINGS))


OLD = things(("a", "a b", LAST), ("b", "c:d/é", FIRST), ("c", None, None), ("d", "k=v%20", NOW))
MORE = things(("e", "a b", NOW), ("f", None, LAST))


def arrow(frame: pl.DataFrame, **options: Any) -> Any:
    return frame.to_arrow(**options)


def encoded(**options: Any) -> Encode:
    return lambda frame, path: pq.write_table(arrow(frame), path, **options)


def dictionaries(frame: pl.DataFrame, path: Path) -> None:
    found = arrow(frame.cast({pl.String: pl.Categorical}))
    pq.write_table(found, path)


def narrow(frame: pl.DataFrame, path: Path) -> None:
    frame.cast({pl.Int64: pl.Int16}).write_parquet(path)


def nanoseconds(frame: pl.DataFrame, path: Path) -> None:
    """Of the times, only those that fit are written so."""
    fits = "at" not in frame.columns or frame["at"].dt.year().is_between(1700, 2200).all()
    frame.cast({pl.Datetime: pl.Datetime("ns", "UTC")} if fits else {}).write_parquet(path)


ENCODINGS: Mapping[str, Encode] = {
    "polars": pl.DataFrame.write_parquet,
    "int96": encoded(use_deprecated_int96_timestamps=True),
    "milliseconds": encoded(coerce_timestamps="ms"),
    "without arrow's schema": encoded(store_schema=False, use_dictionary=False),
    "pages of version 2": encoded(data_page_version="2.0", compression="gzip"),
    "nanoseconds": nanoseconds,
    "dictionaries": dictionaries,
    "narrow": narrow,
}


def hive(values: Mapping[str, str | None]) -> str:
    """Folders as Spark and deltalake name them, encoded once."""
    named = {
        k: "__HIVE_DEFAULT_PARTITION__" if v is None else quote(v, "") for k, v in values.items()
    }
    return "".join(f"{name}={value}/" for name, value in named.items())


def misleading(values: Mapping[str, str | None]) -> str:
    """Folders that tell of other values than the log does."""
    return "".join(f"{name}=9/" for name in values)


PARTITIONS = {
    "text": (("value",), hive),
    "text, random folders": (("value",), lambda _: "x7 y#/"),
    "text, other folders": (("value",), misleading),
    "time": (("at",), hive),
    "number": (("workspace_id",), misleading),
    "boolean and text": (("flag", "value"), hive),
}


def append(lake: Crafted) -> None:
    lake.commit(*lake.added(MORE), state=pl.concat([OLD, MORE]))


def told(lake: Crafted) -> None:
    """A merge with files of the change feed, which are believed instead of the others."""
    after = pl.concat([OLD[1:].with_columns(at=pl.lit(LAST)), MORE])
    changes = pl.concat(
        [
            OLD[:1].with_columns(_change_type=pl.lit("delete")),
            OLD[1:].with_columns(_change_type=pl.lit("update_preimage")),
            after[:3].with_columns(_change_type=pl.lit("update_postimage")),
            MORE.with_columns(_change_type=pl.lit("insert")),
        ]
    )
    takes = [removed(add) for add in files(lake)]
    lake.commit(*takes, *lake.told(changes), *lake.added(after), state=after)


def overwrite(lake: Crafted) -> None:
    after = pl.concat([OLD[:2], MORE])
    lake.commit(*(removed(add) for add in files(lake)), *lake.added(after), state=after)


def restore(lake: Crafted) -> None:
    """What was removed comes again, by the same names."""
    before = files(lake)
    new = lake.added(MORE)
    lake.commit(*map(removed, before), *new, state=MORE)
    lake.commit(*map(removed, new), *before, state=OLD)
    lake.commit(*map(removed, before), *new, state=MORE)


def compaction(lake: Crafted) -> None:
    append(lake)
    takes = [removed(add, dataChange=False) for add in files(lake)]
    both = lake.states[-1]
    lake.commit(*takes, *lake.added(both, dataChange=False))


def vectors(lake: Crafted, mark: Callable[[Action], Action]) -> None:
    """The first row of each file goes, comes again, goes with the file, and stays away."""
    whole = files(lake)
    marked = [mark(add) for add in whole]
    first, rest = firsts(lake), OLD.filter(~pl.col("key").is_in(firsts(lake)["key"].implode()))
    lake.commit(*map(removed, whole), *marked, state=rest)
    lake.commit(*map(removed, marked), *whole, state=OLD)
    lake.commit(*map(removed, whole), *marked, state=rest)
    lake.commit(*map(removed, marked), state=OLD[:0])
    lake.commit(*marked, state=rest)
    lake.commit(*map(removed, marked), *lake.added(first), state=first)


def firsts(lake: Crafted) -> pl.DataFrame:
    by = list(lake.partitioned)
    return OLD.group_by(by, maintain_order=True).first().select(OLD.columns) if by else OLD[:1]


def vectors_in_the_log(lake: Crafted) -> None:
    vectors(lake, lambda add: without(add, [0]))


def vectors_in_files(lake: Crafted) -> None:
    vectors(lake, lambda add: without_by_file(lake.folder, add, [0]))


def vectors_elsewhere(lake: Crafted) -> None:
    vectors(lake, lambda add: without_by_file(lake.folder, add, [0], "p"))


def counted_by_footers(lake: Crafted) -> None:
    """A deletion vector in a scan of many files, of which some have no statistics."""
    lake.commit(*lake.added(MORE, stats=None), state=pl.concat([OLD, MORE]))
    new = things(("g", "a b", NOW), ("h", "a b", NOW))[::2]
    new = pl.concat([new, new.with_columns(key=pl.lit("h"))])
    marked = [without(add, [1]) for add in lake.added(new)]
    lake.commit(*marked, state=pl.concat([OLD, MORE, new[:1]]))


def checkpoint(lake: Crafted) -> None:
    append(lake)
    DeltaTable(lake.folder).create_checkpoint()
    again = MORE.with_columns(key=pl.col("key") + "2")
    lake.commit(*lake.added(again), state=pl.concat([lake.states[-1], again]))


def checkpoint_of_vectors(lake: Crafted) -> None:
    vectors_in_the_log(lake)
    marked = [without(add, [0]) for add in lake.added(OLD)]
    rest = OLD.filter(~pl.col("key").is_in(firsts(lake)["key"].implode()))
    lake.commit(*marked, state=pl.concat([lake.states[-1], rest]))
    DeltaTable(lake.folder).create_checkpoint()
    append_to(lake)


def append_to(lake: Crafted) -> None:
    lake.commit(*lake.added(MORE), state=pl.concat([lake.states[-1], MORE]))


def column_added(lake: Crafted) -> None:
    """Files from before the column have nulls in it."""
    assert "tags" not in lake.columns
    lake.columns = tuple(source_schema(THINGS))
    lake.commit(lake.metadata(), *lake.added(MORE), state=pl.concat([lake.states[-1], MORE]))


SHAPES = [
    append, told, overwrite, restore, compaction, checkpoint, column_added,
    vectors_in_the_log, vectors_in_files, vectors_elsewhere, counted_by_footers,
    checkpoint_of_vectors,
]  # fmt: skip


def files(lake: Crafted) -> list[Action]:
    """What adds each file of the newest version."""
    there: dict[str, Action] = {}
    for version in range(len(lake.states)):
        entry = lake.folder / "_delta_log" / f"{version:020d}.json"
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            for kind, fields in action.items():
                if kind == "add":
                    there[fields["path"]] = action
                elif kind == "remove":
                    there.pop(fields["path"], None)
    return list(there.values())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_d6_each_encoding_comes_alike_in_snapshots_and_changes(
    tmp_path: Path, encoding: str, shape: Callable[[Crafted], None]
) -> None:
    agree(Crafted(tmp_path, ENCODINGS[encoding]), shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("by", PARTITIONS)
def test_d6_each_partitioning_comes_alike_in_snapshots_and_changes(
    tmp_path: Path, by: str, shape: Callable[[Crafted], None]
) -> None:
    columns, named = PARTITIONS[by]
    below = tmp_path / "workspace_id=9" / "my project #1?" / "é"
    agree(Crafted(below, pl.DataFrame.write_parquet, columns, named), shape)


def agree(lake: Crafted, shape: Callable[[Crafted], None]) -> None:
    """Make a history, and compare what is read with what was committed."""
    if shape is column_added:
        lake.columns = tuple(name for name in source_schema(THINGS) if name != "tags")
    lake.create()
    nulls = pl.lit(None, OLD.schema["tags"])
    old = OLD.with_columns(tags=nulls) if shape is column_added else OLD
    lake.commit(*lake.added(OLD), state=old)
    shape(lake)
    found = DeltaSource(str(lake.root))
    versions = range(len(lake.states))
    whole = versions[2:] if shape is column_added else versions
    for version in whole:
        rows = found.snapshot(THINGS, at_version(found, version)).collect(engine="streaming")
        assert by_key(rows) == by_key(lake.states[version]), f"snapshot at {version}"
    for lower in versions:
        for upper in {lower, lower + 1, whole[-1]} & {*whole}:
            changed = found.changes(THINGS, at_version(found, lower), at_version(found, upper))
            assert rows_by_key(changed.collect(engine="streaming")) == (
                difference(by_key(lake.states[lower]), by_key(lake.states[upper]))
            ), f"changes from {lower} to {upper}"


Rows = dict[str, dict[str, Any]]


def by_key(rows: pl.DataFrame) -> Rows:
    assert rows["key"].is_unique().all()
    return {row["key"]: row for row in rows.to_dicts()}


def rows_by_key(changed: pl.DataFrame) -> Rows:
    return by_key(changed.select(*source_schema(THINGS), CHANGE))


def difference(before: Rows, after: Rows) -> Rows:
    new = {k: {**row, CHANGE: NEW} for k, row in after.items() if k not in before}
    gone = {k: {**row, CHANGE: DELETED} for k, row in before.items() if k not in after}
    both = after.keys() & before.keys()
    changed = {k: {**after[k], CHANGE: CHANGED} for k in both if after[k] != before[k]}
    return {**new, **gone, **changed}

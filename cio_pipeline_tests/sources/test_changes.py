"""Changes between two versions of real Delta tables (D6)."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import (
    AGAIN,
    CHANGE,
    CHANGED,
    COMMITTED_AT,
    DELETED,
    GREW,
    NEW,
    VERSION,
)
from cio_pipeline.model.errors import ColumnMismatch, SourceError, TableReplaced, VersionGone
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline.sources.delta_table import DeltaTables
from cio_pipeline.sources.fit import in_arrival, shaped
from cio_pipeline.sources.tables import commit_rows, create_tables
from cio_pipeline_tests.sources.things import (
    NOTES,
    THINGS,
    at_version,
    latest,
    minute,
    put,
    rows,
    source,
    values_of,
)

Values = dict[str, str | None]


def overwrite(found: DeltaSource, values: Values) -> None:
    good = shaped(rows(values), THINGS)
    write_deltalake(f"{found.uri}/things", good, mode="overwrite")


def merge(found: DeltaSource, values: Values) -> None:
    put(found, values, at=1)


def delete(found: DeltaSource, values: Values) -> None:
    keys = ", ".join(f"'{key}'" for key in ["", *values])
    DeltaTable(f"{found.uri}/things").delete(f"key IN ({keys})")


def update(found: DeltaSource, values: Values) -> None:
    keys = ", ".join(f"'{key}'" for key in ["", *values])
    DeltaTable(f"{found.uri}/things").update(
        updates={"value": "concat(value, '!')"}, predicate=f"key IN ({keys})"
    )


def restore(found: DeltaSource, values: Values) -> None:
    table = DeltaTable(f"{found.uri}/things")
    table.restore(max(0, table.version() - 1 - len(values)))


def compact(found: DeltaSource, _: Values) -> None:
    DeltaTable(f"{found.uri}/things").optimize.compact()


COMMITS: list[Callable[[DeltaSource, Values], None]] = [
    merge, delete, update, overwrite, restore, compact,
]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(COMMITS),
            st.dictionaries(st.sampled_from("abcd"), st.none() | st.sampled_from("xy"), max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=12, deadline=None)
def test_d6_changes_are_the_difference_of_two_snapshots(
    history: list[tuple[Callable[[DeltaSource, Values], None], Values]],
) -> None:
    """Whatever is done to a table: any two versions, by their snapshots."""
    with tempfile.TemporaryDirectory() as folder:
        found = source(Path(folder))
        put(found, {"a": "x", "b": None}, at=0)
        for write, values in history:
            write(found, values)
        last = latest(found).version
        states = [values_of(found.snapshot(THINGS, at_version(found, v))) for v in range(last + 1)]
        for lower in (0, 1, last // 2):
            changed = found.changes(THINGS, at_version(found, lower), latest(found)).collect()
            assert {(row["key"], row["value"], row[CHANGE]) for row in changed.to_dicts()} == (
                difference(states[lower], states[last])
            )
            assert changed["key"].is_unique().all()
            assert changed[VERSION].is_between(lower + 1, last).all()


def difference(before: Values, after: Values) -> set[tuple[str, str | None, str]]:
    return {
        *((key, after[key], NEW) for key in after.keys() - before.keys()),
        *((key, before[key], DELETED) for key in before.keys() - after.keys()),
        *((k, after[k], CHANGED) for k in after.keys() & before.keys() if after[k] != before[k]),
    }


def test_d6_changes_carry_version_and_commit_time_in_the_declared_dtypes(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2", "b": "1"}, at=20)
    changed = found.changes(THINGS, at_version(found, 0), latest(found)).sort("key").collect()
    assert dict(changed.schema) == {
        **source_schema(THINGS),
        CHANGE: pl.String(),
        VERSION: pl.Int64(),
        COMMITTED_AT: pl.Datetime("us", "UTC"),
        GREW: pl.Boolean(),
        AGAIN: pl.Boolean(),
    }
    assert changed.select("key", "value", CHANGE, VERSION, COMMITTED_AT).rows() == [
        ("a", "2", NEW, 2, minute(20)),
        ("b", "1", NEW, 2, minute(20)),
    ]


@pytest.mark.parametrize("lower", [1, 2])
def test_d6_no_change_is_an_empty_frame(tmp_path: Path, lower: int) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"b": "1"}, at=20)
    DeltaTable(tmp_path / "things").optimize.compact()
    upper = latest(found)
    assert upper.version == 3
    full = found.changes(THINGS, at_version(found, 1), upper)
    empty = found.changes(THINGS, upper if lower == 1 else at_version(found, 2), upper)
    assert empty.collect().is_empty()
    assert empty.collect_schema() == full.collect_schema()


def test_every_source_table_can_be_written_and_read(tmp_path: Path) -> None:
    """Names like `from` and `timestamp` are columns like any other."""
    uri = str(tmp_path)
    found = DeltaSource(uri)
    assert create_tables(uri, SOURCE_TABLES.values()) == list(SOURCE_TABLES)
    assert create_tables(uri, SOURCE_TABLES.values()) == []
    for table in SOURCE_TABLES.values():
        row = (
            pl.DataFrame(schema=source_schema(table))
            .clear(1)
            .with_columns(
                pl.lit(1 if source_schema(table)[name] == pl.Int64() else "x").alias(name)
                for name in table.identity
                if source_schema(table)[name] in (pl.Int64(), pl.String())
            )
        )
        row = row.with_columns(
            pl.lit(minute(0)).alias(n) for n in table.identity if n == "updated_at"
        )
        assert commit_rows(uri, table, row, minute(1)) == 1
        upper = latest(found, table)
        assert found.changes(table, at_version(found, 0, table), upper).collect().height == 1
        assert (
            found.snapshot(table, upper)
            .collect()
            .equals(in_arrival(row.select(source_schema(table).names())))
        )


def test_vacuumed_changes_are_named(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    put(found, {"a": "1"}, 10, NOTES)
    put(found, {"b": "1"}, 20, NOTES)
    table = DeltaTable(tmp_path / "notes")
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(VersionGone, match=r"notes cannot be read at version 5.*deletedFileRet"):
        found.changes(NOTES, at_version(found, 0, NOTES), latest(found, NOTES)).collect()


def test_a_feed_whose_files_go_while_it_is_read_is_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    changed = found.changes(THINGS, at_version(found, 0), latest(found))
    for file in (tmp_path / "things").rglob("*.parquet"):
        file.unlink()
    with pytest.raises(VersionGone, match="things cannot be read at version 1"):
        changed.collect()
    with pytest.raises(VersionGone, match="things cannot be read at version 1"):
        changed.sink_parquet(tmp_path / "out.parquet")


def test_a_cleaned_log_is_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    put(found, {"a": "2"}, at=20)
    DeltaTable(tmp_path / "things").create_checkpoint()
    (tmp_path / "things/_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(VersionGone, match="things no longer has version 1"):
        found.changes(THINGS, at_version(found, 0), latest(found))


def test_a_missing_change_feed_is_named(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "things", source_arrow_schema(THINGS))
    found = DeltaSource(str(tmp_path))
    put(found, {"a": "1"}, at=10)
    with pytest.raises(SourceError, match=r"things has no change feed.*enableChangeDataFeed=true"):
        found.changes(THINGS, at_version(found, 0), latest(found))


def test_cuts_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=10)
    with pytest.raises(TableReplaced, match="things"):
        found.changes(THINGS, latest(found), at_version(found, 0))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (None, "value is missing \\(expected String\\)"),
        (pl.Series("value", [1]), "value is Int64 \\(expected String\\)"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, column: Any, said: str) -> None:
    found = source(tmp_path)
    good = shaped(rows({"a": "1"}), THINGS)
    bad = good.drop("value") if column is None else good.with_columns(column)
    write_deltalake(tmp_path / "things", bad, mode="overwrite", schema_mode="overwrite")
    for read in (
        lambda: found.changes(THINGS, at_version(found, 0), latest(found)),
        lambda: found.snapshot(THINGS, latest(found)),
    ):
        with pytest.raises(ColumnMismatch, match=f"things.*{said}"):
            read()


def test_narrower_columns_are_widened(tmp_path: Path) -> None:
    """Smaller integers and times without a zone are taken; further columns are ignored."""
    narrow = shaped(rows({"a": "1"}, at=minute(3)), THINGS).with_columns(
        pl.col("workspace_id").cast(pl.Int16), pl.col("at").dt.replace_time_zone(None), extra=1
    )
    found = DeltaSource(str(tmp_path))
    feed_on = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(tmp_path / "things", narrow, configuration=feed_on)
    write_deltalake(tmp_path / "things", narrow.with_columns(key=pl.lit("b")), mode="append")
    snapshot = found.snapshot(THINGS, latest(found)).sort("key").collect()
    changed = found.changes(THINGS, at_version(found, 0), latest(found)).collect()
    assert dict(snapshot.schema) == dict(source_schema(THINGS))
    assert snapshot["at"].to_list() == [minute(3), minute(3)]
    assert changed["at"].to_list() == [minute(3)]
    assert changed["workspace_id"].dtype == pl.Int64()


def test_the_folder_of_tables_is_the_uri_and_the_name() -> None:
    assert DeltaTables("s3://bucket/path/", {}).location("people") == "s3://bucket/path/people"

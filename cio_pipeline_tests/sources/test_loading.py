"""Writing to source tables: files, frames, commits."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import ColumnMismatch, InvalidConfig, SourceGone
from cio_pipeline.sources.cells import times
from cio_pipeline.sources.fit import fitted, shaped
from cio_pipeline.sources.tables import commit_rows, create_tables
from cio_pipeline_tests.changesets.rows import snapshot
from cio_pipeline_tests.sources.things import (
    NOTES,
    THINGS,
    latest,
    minute,
    put,
    read_files,
    rows,
    source,
    values_of,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEADER = "workspace_id,key,value,tags,at,flag\n"


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_csv_cells_become_the_declared_types(tmp_path: Path) -> None:
    text = (
        '1,a,"x, ""y""","[""p"",null]",2026-01-01 00:00:00+02:00,TRUE\n'
        "9223372036854775807,,,,,0\n"
        "3,c,  ,[],2026-01-01,false\n"
    )
    found = read_files([written(tmp_path, "one.csv", HEADER + text)], THINGS)
    assert found.rows() == [
        (1, "a", 'x, "y"', ["p", None], datetime(2025, 12, 31, 22, tzinfo=UTC), True),
        (9223372036854775807, "", None, None, None, False),
        (3, "c", "  ", [], datetime(2026, 1, 1, tzinfo=UTC), False),
    ]


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()),  # noqa: DTZ001 - bounds
    st.sampled_from(["T", " "]),
)
def test_iso_times_are_read_as_they_were_written(time: datetime, separator: str) -> None:
    offset = time.utcoffset()
    assert offset is not None
    utc = time.astimezone(UTC)
    if offset.total_seconds() % 60:
        time = utc
    assert times(pl.Series([time.isoformat(separator)])).to_list() == [utc]
    naive = time.replace(tzinfo=None)
    assert times(pl.Series([naive.isoformat(separator)])).to_list() == [naive.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ("x,k,,,,", "workspace_id"),
        ("1.5,k,,,,", "workspace_id"),
        ("9223372036854775808,k,,,,", "workspace_id"),
        ('1,k,,"{""a"":1}",,', "tags"),
        ('1,k,,"{a,}",,', "tags"),
        ('1,k,,"{{a},{b}}",,', "tags"),
        ('1,k,,"{a",,', "tags"),
        ('1,k,,"{""a""b}",,', "tags"),
        ("1,k,,[1],,".replace("[1]", '"[1]"'), "tags"),
        ("1,k,,,2026-02-30,", "at"),
        ("1,k,,,2026-01-01T00:00:00.1234567,", "at"),
        ("1,k,,,soon,", "at"),
        ("1,k,,,,yes", "flag"),
    ],
)
def test_bad_csv_cells_are_named(tmp_path: Path, cell: str, column: str) -> None:
    file = written(tmp_path, "bad.csv", f"{HEADER}1,a,,,,\n{cell}\n{cell}\n")
    with pytest.raises(InvalidConfig, match=f"Line 3 of bad.csv has an? {column} that is not"):
        read_files([file], THINGS)


def test_ndjson_keeps_every_digit_and_text(tmp_path: Path) -> None:
    given = {
        "workspace_id": 2**53 + 1,
        "key": "Zoë\u2028\n",
        "value": '{"n": 1.50}',
        "tags": ["p", None, ""],
        "at": "2026-01-01T00:00:00.000001Z",
        "flag": True,
    }
    text = "\n".join([json.dumps(given, ensure_ascii=False), "", '{"workspace_id":1,"key":"b"}'])
    found = read_files([written(tmp_path, "one.ndjson", text)], THINGS)
    time = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert found.rows(named=True)[0] == {**given, "at": time}
    assert found.rows()[1] == (1, "b", None, None, None, None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"workspace_id": "1", "key": "k"}', "Line 2 of bad.jsonl has a workspace_id"),
        ('{"workspace_id": true, "key": "k"}', "Line 2 of bad.jsonl has a workspace_id"),
        ('{"workspace_id": 1e3, "key": "k"}', "Line 2 of bad.jsonl has a workspace_id"),
        ('{"workspace_id": 9223372036854775808}', "Line 2 of bad.jsonl has a workspace_id"),
        ('{"workspace_id": 1, "key": 5}', "Line 2 of bad.jsonl has a key"),
        ('{"workspace_id": 1, "key": "k", "tags": "p"}', "Line 2 of bad.jsonl has a tags"),
        ('{"workspace_id": 1, "key": "k", "at": 5}', "Line 2 of bad.jsonl has an at"),
        ('{"workspace_id": 1, "key": "k", "at": "5"}', "Line 2 of bad.jsonl has an at"),
        ('{"workspace_id": 1, "key": "k", "flag": 1}', "Line 2 of bad.jsonl has a flag"),
        ("{", "Line 2 of bad.jsonl is no valid JSON"),
        ("[]", "Line 2 of bad.jsonl is no JSON object"),
    ],
)
def test_bad_ndjson_values_are_named(tmp_path: Path, line: str, said: str) -> None:
    file = written(tmp_path, "bad.jsonl", f'{{"workspace_id": 1, "key": "a"}}\n{line}\n')
    with pytest.raises(InvalidConfig, match=said):
        read_files([file], THINGS)


def test_unknown_and_missing_columns_are_named(tmp_path: Path) -> None:
    unknown = written(tmp_path, "a.csv", "workspace_id,key,colour\n1,a,red\n")
    missing = written(tmp_path, "b.csv", "key,value\na,red\n")
    line = written(tmp_path, "c.ndjson", '{"workspace_id": 1, "key": "a", "colour": "red"}')
    parquet = tmp_path / "d.parquet"
    rows({"a": "1"}).with_columns(colour=1).write_parquet(parquet)
    for file in (unknown, line, parquet):
        with pytest.raises(ColumnMismatch, match="things has no column colour"):
            read_files([file], THINGS)
    with pytest.raises(ColumnMismatch, match="lack the required column workspace_id"):
        read_files([missing], THINGS)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("rows.txt", b"", "none of the suffixes .csv, .ndjson, .jsonl, .parquet"),
        ("rows.parquet", b"PAR0", "rows.parquet is no readable parquet file"),
        ("rows.csv", b"", "rows.csv is no readable csv file"),
        (
            "rows.csv",
            b"workspace_id,key\n1,a,b,c\n",
            "rows.csv is no readable csv file: line 2 has 4 cells, the header has 2",
        ),
        (
            "rows.csv",
            b"workspace_id,key\n1,\xff\n",
            "rows.csv is no readable csv file: line 2 is no valid UTF-8",
        ),
        ("rows.ndjson", b'{"key": "\xff"}', "Line 1 of rows.ndjson is no valid UTF-8"),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, name: str, body: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(InvalidConfig, match=said):
        read_files([tmp_path / name], THINGS)


WHOLE: list[tuple[pl.Series, list[int | None]]] = [
    (pl.Series([1, 2**60, None], dtype=pl.Decimal(38, 0)), [1, 2**60, None]),
    (pl.Series(["1.00", "-2.0", None]).cast(pl.Decimal(20, 2)), [1, -2, None]),
    (pl.Series([1.0, 1 - 2.0**53, None]), [1, 1 - 2**53, None]),
    (pl.Series([1.0, 2.0, None], dtype=pl.Float32), [1, 2, None]),
    (pl.Series([1, 255, None], dtype=pl.UInt8), [1, 255, None]),
]
"""What warehouses and pandas make of whole numbers, a null among them above all."""


@pytest.mark.parametrize(("found", "wanted"), WHOLE, ids=lambda one: str(getattr(one, "dtype", "")))
def test_whole_numbers_of_any_type_are_loaded(
    tmp_path: Path, found: pl.Series, wanted: list[int | None]
) -> None:
    deliveries = SOURCE_TABLES["deliveries"]
    three = snapshot("deliveries", *({"delivery_id": f"d{n}"} for n in range(3))).collect()
    file = tmp_path / "d.parquet"
    three.with_columns(found.alias("campaign_id")).write_parquet(file)
    assert read_files([file], deliveries)["campaign_id"].to_list() == wanted


@pytest.mark.parametrize(
    "value",
    [
        pl.Series([1.5]),
        pl.Series([-(2.0**53)]),
        pl.Series([2.0**24], dtype=pl.Float32),
        pl.Series([float("nan")]),
        pl.Series([float("inf")]),
        pl.Series(["1.01"]).cast(pl.Decimal(20, 2)),
        pl.Series([2**63], dtype=pl.Decimal(38, 0)),
        pl.Series([2**63], dtype=pl.UInt64),
    ],
    ids=lambda one: f"{one.dtype} {one[0]}",
)
def test_numbers_that_are_or_may_be_others_are_bad_rows(tmp_path: Path, value: pl.Series) -> None:
    file = tmp_path / "d.parquet"
    one = snapshot("deliveries", {"delivery_id": "d"}).collect()
    one.with_columns(value.alias("campaign_id")).write_parquet(file)
    with pytest.raises(InvalidConfig, match=r"Row 1 of d\.parquet has a campaign_id that is"):
        read_files([file], SOURCE_TABLES["deliveries"])


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"gone\.csv cannot be read: No such file"):
        read_files([tmp_path / "gone.csv"], THINGS)
    with pytest.raises(InvalidConfig, match="No file"):
        read_files([], THINGS)


def test_several_files_are_one_commit(tmp_path: Path) -> None:
    found = source(tmp_path / "source")
    files = [
        written(tmp_path, "a.csv", "workspace_id,key,value\n1,a,1\n"),
        written(tmp_path, "b.ndjson", '{"workspace_id": 1, "key": "b", "value": "2"}'),
        tmp_path / "c.parquet",
    ]
    rows({"c": "3"}).with_columns(pl.col("workspace_id").cast(pl.UInt8)).write_parquet(files[2])
    assert commit_rows(found.uri, THINGS, read_files(files, THINGS), minute(1)) == 1
    assert values_of(found.snapshot(THINGS, latest(found))) == {"a": "1", "b": "2", "c": "3"}
    with pytest.raises(InvalidConfig, match=r"2 row\(s\) for table things repeat the identity"):
        read_files([*files[:2], *files[:2]], THINGS)


def test_mutable_tables_are_updated_by_identity_and_append_only_ones_grow(tmp_path: Path) -> None:
    found = source(tmp_path, THINGS, NOTES)
    for table in (THINGS, NOTES):
        put(found, {"a": "1", "b": "1"}, 1, table)
        put(found, {"b": "2", "c": "2"}, 2, table)
    assert values_of(found.snapshot(THINGS, latest(found))) == {"a": "1", "b": "2", "c": "2"}
    assert found.snapshot(NOTES, latest(found, NOTES)).collect().height == 4


def test_nothing_to_write_is_no_commit(tmp_path: Path) -> None:
    found = source(tmp_path)
    assert commit_rows(found.uri, THINGS, rows({}).lazy(), minute(1)) == 0
    assert latest(found).version == 0


def test_commits_need_a_table_and_an_aware_time(tmp_path: Path) -> None:
    found = source(tmp_path)
    with pytest.raises(SourceGone, match=r"Table notes does not exist.*source init"):
        put(found, {"a": "1"}, 1, NOTES)
    with pytest.raises(InvalidConfig, match="needs an offset"):
        commit_rows(found.uri, THINGS, rows({"a": "1"}), datetime(2026, 1, 1))  # noqa: DTZ001 - the point
    assert latest(found).version == 0


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("workspace_id", [1.5]),
        pl.Series("workspace_id", [2**63], dtype=pl.UInt64),
        pl.Series("workspace_id", ["1"]),
        pl.Series("value", [1]),
        pl.Series("tags", [[1]]),
        pl.Series("at", ["2026-01-01"]),
        pl.Series("at", [1], dtype=pl.Datetime("ns", "UTC")),
        pl.Series("flag", [1]),
    ],
    ids=str,
)
def test_types_that_would_lose_values_are_named(column: pl.Series) -> None:
    bad = rows({"a": "1"}).with_columns(column)
    with pytest.raises(
        ColumnMismatch, match=f"Column {column.name} of the rows for table things is"
    ):
        fitted(bad, THINGS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pl.Series("workspace_id", [1], dtype=pl.UInt64), 1),
        (pl.Series("value", ["x"], dtype=pl.Categorical), "x"),
        (pl.Series("value", [None]), None),
        (pl.Series("tags", [[]], dtype=pl.List(pl.Null)), []),
        (pl.Series("at", [1000], dtype=pl.Datetime("ns")), EPOCH + timedelta(microseconds=1)),
        (
            pl.Series("at", [1], dtype=pl.Datetime("ms", "Asia/Tokyo")),
            EPOCH + timedelta(0, 0, 1000),
        ),
    ],
    ids=str,
)
def test_types_that_fit_are_cast(column: pl.Series, value: Any) -> None:
    assert shaped(rows({"a": "1"}).with_columns(column), THINGS)[column.name].to_list() == [value]


def test_rows_without_identity_are_refused() -> None:
    bad = rows({"a": "1", "b": "2"}).with_columns(key=pl.lit(None, pl.String))
    with pytest.raises(InvalidConfig, match=r"2 row\(s\) for table things have no key"):
        fitted(bad, THINGS)


def test_an_upsert_leaves_columns_that_it_lacks_as_they_are(tmp_path: Path) -> None:
    uri, people = str(tmp_path), SOURCE_TABLES["people"]
    create_tables(uri, [people])
    at = datetime(2026, 3, 1, tzinfo=UTC)
    person = {
        "workspace_id": 1,
        "internal_customer_id": "x",
        "added_at": at,
        "updated_at": at,
        "deleted": False,
        "suppressed": False,
    }
    commit_rows(uri, people, pl.DataFrame([{**person, "email": "x@acme.example"}]), at)
    commit_rows(uri, people, pl.DataFrame([{**person, "id": "7"}]), at)
    found = pl.read_delta(tmp_path / "people")
    assert found.select("id", "email").rows() == [("7", "x@acme.example")]

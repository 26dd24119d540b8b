"""D25: a value that a table cannot take is named with file, row and column; the others load."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import ColumnMismatch, InvalidConfig
from cio_pipeline.sources.load import read_good_rows
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.sources.things import NOTES, THINGS, latest, put, read_files, source

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800


def named(found: Sequence[Any]) -> list[tuple[str, int, str]]:
    return [(one.file, one.line, one.reason) for one in found]


def times(unit: Any, zone: str | None, ticks: Sequence[int | None]) -> pl.DataFrame:
    at = pl.Series("at", ticks, pl.Int64).cast(pl.Datetime(unit, zone))
    keys = [f"k{n}" for n in range(len(ticks))]
    return pl.DataFrame({"workspace_id": [1] * len(ticks), "key": keys}).with_columns(at)


SHORT = b"""workspace_id,key,value,flag
1,whole,v,
1,two
1,"over
lines",v
1,last,v,true
"""


def test_d25_a_line_of_csv_with_too_few_cells_is_told_and_not_filled_up(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(SHORT)
    told = "has 2 cells, the header has 4"
    with pytest.raises(InvalidConfig, match=rf"Line 3 of t.csv {told}. 1 more row"):
        read_files([file], THINGS)
    found = read_good_rows([file], THINGS)
    assert named(found.bad) == [("t.csv", 3, told), ("t.csv", 4, told.replace("2", "3", 1))]
    assert found.rows["key"].to_list() == ["whole", "last"]


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_a_column_that_a_file_lacks_stays_as_it_is(tmp_path: Path, suffix: str) -> None:
    there = source(tmp_path)
    put(there, {"a": "1", "b": "2"}, at=1)
    file = tmp_path / f"t.{suffix}"
    rows = pl.DataFrame({"workspace_id": [1, 1], "key": ["a", "new"], "flag": [True, None]})
    writing = {"csv": rows.write_csv, "ndjson": rows.write_ndjson, "parquet": rows.write_parquet}
    writing[suffix](file)
    commit_rows(there.uri, THINGS, read_good_rows([file], THINGS).rows)
    found = there.snapshot(THINGS, latest(there)).sort("key").select("key", "value", "flag")
    assert found.collect().rows() == [("a", "1", True), ("b", "2", None), ("new", None, None)]


def test_files_of_one_load_agree_on_the_columns_that_they_write(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("workspace_id,key,value\n1,a,v\n")
    files[1].write_text("workspace_id,key\n1,b\n")
    with pytest.raises(ColumnMismatch, match=r"a.csv and b.csv have different columns: .* value"):
        read_good_rows(files, THINGS)
    assert read_good_rows(files, NOTES).rows["value"].to_list() == ["v", None]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_d25_times_of_parquet_beyond_the_years_that_there_are(
    tmp_path: Path, unit: str, zone: str | None
) -> None:
    tick = PER_SECOND[unit]
    ticks = [0, YEAR_10000 * tick, YEAR_1 * tick, YEAR_1 * tick - 1, None, YEAR_10000 * tick - 1]
    file = tmp_path / "t.parquet"
    times(unit, zone, ticks).write_parquet(file)
    reason = "has an at that is not an ISO 8601 time of the years 1 to 9999 down to microseconds"
    with pytest.raises(InvalidConfig, match=rf"Row 2 of t.parquet {reason}. 1 more row\(s\)"):
        read_files([file], THINGS)
    found = read_good_rows([file], THINGS)
    assert named(found.bad) == [("t.parquet", 2, reason), ("t.parquet", 4, reason)]
    first = datetime.min.replace(tzinfo=UTC)
    last = LAST - timedelta(microseconds=999) if unit == "ms" else LAST
    assert found.rows["at"].to_list() == [EPOCH, first, None, last]


def test_d25_nanoseconds_that_would_be_lost_are_named(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    times("ns", "UTC", [1000, 1, 2**62]).write_parquet(file)
    found = read_good_rows([file], THINGS)
    assert [one.line for one in found.bad] == [2, 3]
    assert found.rows["at"].to_list() == [EPOCH + timedelta(microseconds=1)]


class Panicked(BaseException):
    """Stands in for what Polars raises when it casts or prints some times."""


def test_d25_times_are_neither_cast_nor_printed_before_they_were_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cast(column: pl.Series, *words: Any, **named_words: Any) -> pl.Series:
        if column.dtype.is_temporal() and column.dtype != pl.Datetime("us", "UTC"):
            raise Panicked
        return real(column, *words, **named_words)

    real = pl.Series.cast
    file = tmp_path / "t.parquet"
    times("ms", None, [0, YEAR_10000 * 1000]).write_parquet(file)
    monkeypatch.setattr(pl.Series, "cast", cast)
    assert [one.line for one in read_good_rows([file], THINGS).bad] == [2]


SURROGATE = "with half of a surrogate pair, which no file can hold"
WHOLE = "that is not a whole number of 64 bits"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (rb'{"workspace_id": 1, "key": "\ud800"}', f"has a key {SURROGATE}"),
        (rb'{"workspace_id": 1, "key": "k", "value": "a\udfff"}', f"has a value {SURROGATE}"),
        (rb'{"workspace_id": 1, "key": "k", "tags": ["a", "\ud83d"]}', f"has a tags {SURROGATE}"),
        (rb'{"workspace_id": 1, "key": "k", "at": "\ud83d"}', f"has an at {SURROGATE}"),
        (b'{"workspace_id": 1, "key": "\xed\xa0\x80"}', "is no valid UTF-8"),
        (b'{"workspace_id": 1, "key": "\xff"}', "is no valid UTF-8"),
        (b'{"workspace_id": 9223372036854775808, "key": "k"}', f"has a workspace_id {WHOLE}"),
        (b'{"workspace_id": -9223372036854775809, "key": "k"}', f"has a workspace_id {WHOLE}"),
        (b'{"workspace_id": 1' + b"0" * 5000 + b', "key": "k"}', f"has a workspace_id {WHOLE}"),
        (b'{"key": "k"}', "has no workspace_id, which is part of the identity"),
        (b'{"workspace_id": 1, "key": null}', "has no key, which is part of the identity"),
        (b'{"workspace_id": 1,', "is no valid JSON"),
        (b'{"workspace_id": 1, "key": "k", "at": "0000-01-01"}', "has an at that is not an ISO"),
        (
            b'{"workspace_id": 1, "key": "k", "at": "2026-01-01T00:00+25:00"}',
            "has an at that is not",
        ),
    ],
)
def test_d25_a_bad_line_is_named_and_the_others_are_read(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = b'{"workspace_id": 1, "key": "good", "value": "\\ud83d\\ude00"}'
    file = tmp_path / "t.ndjson"
    file.write_bytes(b"\n".join([good, b"", line, good.replace(b"good", b"better")]))
    found = read_good_rows([file], THINGS)
    assert [(one.file, one.line) for one in found.bad] == [("t.ndjson", 3)]
    assert found.bad[0].reason.startswith(reason)
    assert found.rows["key"].to_list() == ["good", "better"]
    assert found.rows["value"].to_list() == ["\U0001f600"] * 2
    with pytest.raises(InvalidConfig, match=r"Line 3 of t.ndjson .*--quarantine-bad"):
        read_files([file], THINGS)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_d25_integers_beyond_64_bits_are_named_and_the_others_are_read(
    tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"t.{suffix}"
    rows = pl.DataFrame({"workspace_id": [1, 2**63, 2**64 - 1, 2**63 - 1], "key": list("abcd")})
    if suffix == "csv":
        rows.write_csv(file)
    else:
        rows.with_columns(pl.col("workspace_id").cast(pl.UInt64)).write_parquet(file)
    found = read_good_rows([file], THINGS)
    header = suffix == "csv"
    numbers = [number + header for number in (2, 3)]
    assert named(found.bad) == [(file.name, n, f"has a workspace_id {WHOLE}") for n in numbers]
    assert found.rows["workspace_id"].to_list() == [1, 2**63 - 1]


ATTRIBUTES = [
    {"internal_customer_id": "a", "timestamp": "2026-01-01T00:00:00Z"},
    {"internal_customer_id": "b", "timestamp": "0000-01-01T00:00:00Z"},
    {"internal_customer_id": "c", "timestamp": "2026-01-01T00:00:00Z"},
]
OF_ALL = {"workspace_id": 1, "attribute_name": "plan", "attribute_value": '"gold"'}


def attributes(file: Path) -> None:
    rows = pl.DataFrame([{**OF_ALL, **row} for row in ATTRIBUTES])
    if file.suffix == ".csv":
        rows.write_csv(file)
    elif file.suffix == ".ndjson":
        rows.write_ndjson(file)
    else:
        ticks = pl.Series("timestamp", [0, YEAR_10000 * 10**6, 0]).cast(pl.Datetime("us", "UTC"))
        rows.with_columns(ticks).write_parquet(file)


def load(*words: str) -> Any:
    done = CliRunner().invoke(app, ["source", "load", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if "--json" in words else done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIO_SOURCE", f"delta:{tmp_path / 'source'}")
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    CliRunner().invoke(app, ["source", "init"], catch_exceptions=False)
    return tmp_path


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_d25_the_command_keeps_bad_rows_in_files_that_can_be_corrected(
    home: Path, suffix: str
) -> None:
    file = home / f"a.{suffix}"
    attributes(file)
    refused = CliRunner().invoke(app, ["source", "load", "attributes", str(file)])
    where = {"csv": "Line 3", "ndjson": "Line 2", "parquet": "Row 2"}[suffix]
    assert f"{where} of a.{suffix} has a timestamp" in str(refused.exception)
    done = load("attributes", str(file), "--quarantine-bad", "--json")
    assert (done["rows"], done["version"]) == (2, 1)
    line = int(where.split()[1])
    assert [(one["file"], one["line"]) for one in done["left_out"]] == [(f"a.{suffix}", line)]
    kept = Path(done["kept_in"]) / f"a.{suffix}"
    assert kept.is_relative_to(home / "home" / "bad-rows")
    if suffix == "parquet":
        right = pl.Series("timestamp", [0]).cast(pl.Datetime("us", "UTC"))
        pl.read_parquet(kept).with_columns(right).write_parquet(kept)
    else:
        kept.write_text(kept.read_text().replace("0000-", "2026-"))
    again = load("attributes", str(kept), "--quarantine-bad", "--json")
    assert (again["rows"], again["left_out"], again["kept_in"]) == (1, [], None)
    rows = DeltaTable(home / "source" / "attributes").to_pyarrow_table()
    assert sorted(rows["internal_customer_id"].to_pylist()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [
        ("calls", b'{"type": "page"}', b'{"type": "teleport", "n": 1.10}'),
        ("messages", b'{"body": {"data": {"n": 1}}}', b'{"body": {"data": [1.10]}}'),
    ],
)
def test_d25_lines_of_feeds_are_kept_as_they_were(
    home: Path, table: str, good: bytes, bad: bytes
) -> None:
    file = home / "lines.ndjson"
    file.write_bytes(b"\n".join([good, b"", bad, b'{"\xff": 1}', good, bad]))
    words = (table, str(file), "--workspace", "1")
    assert "kept" not in load(*words)
    told = load(*words, "--quarantine-bad")
    (kept,) = (home / "home" / "bad-rows").rglob("lines.ndjson")
    assert kept.read_bytes() == b"\n".join([bad, b'{"\xff": 1}', bad, b""])
    assert str(kept.parent) in "".join(told.split("\n"))


def test_d25_files_of_one_name_are_not_mixed_up(home: Path) -> None:
    files = [home / "one" / "a.csv", home / "two" / "a.csv"]
    for file in files:
        file.parent.mkdir()
        attributes(file)
    words = ["source", "load", "attributes", *map(str, files), "--quarantine-bad"]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, InvalidConfig)
    assert DeltaTable(home / "source" / "attributes").version() == 0

"""D23, D26: whatever values rows have, the good ones are sent and the others held back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.exceptions import PanicException

from cio_pipeline.changesets import quarantine
from cio_pipeline.changesets.build import build
from cio_pipeline.changesets.quarantine import NAMELESS, identity_columns, identity_expr
from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import ColumnType, Export, SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.encode import Encoded, encode
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.changeset import CHANGE, CHANGED, COMMITTED_AT, DELETED, NEW, VERSION
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.times import EARLIEST, LATEST
from cio_pipeline_tests.changesets.rows import NOON, Row, filled, held_back, sent

ALL = [(version, export.name) for version in VERSIONS for export in exports_of(version)]
UNITS = ("us", "ms")
TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Times that Polars still writes as text; it panics on those beyond.
FIRST_WRITTEN, LAST_WRITTEN = -8_334_601_228_800_000_000, 8_210_266_876_799_999_999


def micros(time: datetime) -> int:
    return (time - EPOCH) // TICK


EDGES = (micros(EARLIEST), micros(LATEST))
ODD_TIMES = (FIRST_WRITTEN, EDGES[0] - 1, EDGES[1] + 1, LAST_WRITTEN)
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.INTEGER: st.sampled_from([None, -(2**63), 2**63 - 1, 0]),
    ColumnType.STRING: st.sampled_from(
        [None, "", "\0", "é\U0001f600\ud7ff\uffff", '"', "x" * 3000, '{"a":1}', "[" * 200, "event"]
    ),
    ColumnType.BOOLEAN: st.sampled_from([None, True, False]),
    ColumnType.TIMESTAMP: st.sampled_from([None, 0, micros(NOON), *EDGES, *ODD_TIMES]),
    ColumnType.STRINGS: st.sampled_from([None, [], [None], ["", "\0", "x"]]),
}


def frame(table: SourceTable, rows: list[Row]) -> pl.LazyFrame:
    """Rows whose times are microseconds since 1970, so that they can be any; each a change."""
    schema = source_schema(table)
    stored = {n: pl.Int64() if isinstance(t, pl.Datetime) else t for n, t in schema.items()}
    data = [
        {n: micros(v) if isinstance(v, datetime) else v for n, v in filled(table, row).items()}
        for row in rows
    ]
    changed = [row.get(CHANGE, NEW) for row in rows]
    return (
        pl.LazyFrame(data, schema=stored)
        .cast({n: t for n, t in schema.items() if isinstance(t, pl.Datetime)})
        .with_columns(
            pl.Series(CHANGE, changed, pl.String()),
            pl.lit(1, dtype=pl.Int64).alias(VERSION),
            pl.lit(NOON, dtype=pl.Datetime("us", "UTC")).alias(COMMITTED_AT),
        )
    )


def any_row(table: SourceTable) -> st.SearchStrategy[Row]:
    """A row in which any columns hold anything, but for the workspace."""
    columns = {c.name: VALUES[c.type] for c in table.columns if c.name != "workspace_id"}
    change = {CHANGE: st.sampled_from([NEW, CHANGED, DELETED])}
    return st.fixed_dictionaries(change, optional=columns)


def good_row(export: Export, number: int) -> Row:
    """A row that keeps the contract, with an identity of its own."""
    types = {c.name: c.type for c in SOURCE_TABLES[export.source].columns}
    made = {ColumnType.INTEGER: number, ColumnType.STRING: f"good {number}"}
    named = {n: made[types[n]] for n in identity_columns(export) if types[n] in made}
    value = {"attribute_value": '"v"'} if "attribute_value" in types else {}
    return {**named, **value}


def encoded(spool: Path, export: Export, version: int, unit: str, **given: Any) -> Encoded:
    made = build(export, version, unit, workspaces=[1], floor=None, **given)
    return encode(
        made.rows,
        made.rejected,
        export,
        version,
        unit,
        rows_per_file=1000,
        spool=Spool(spool),
        folder="f",
        total=made.total,
    )


@settings(max_examples=150)
@given(st.data(), st.sampled_from(ALL), st.sampled_from(UNITS), st.sampled_from(Mode))
def test_d23_good_rows_are_sent_whatever_the_others_hold(
    data: st.DataObject, which: tuple[int, str], unit: str, mode: Mode
) -> None:
    version, export = which[0], EXPORTS[which[1]]
    table = SOURCE_TABLES[export.source]
    odd = data.draw(st.lists(any_row(table), max_size=6))
    rows = [good_row(export, 1), *odd, good_row(export, 2)]
    joins = {
        name: frame(SOURCE_TABLES[name], [*data.draw(_joined(name)), *_around(name)])
        for name in export.joins
    }
    with TemporaryDirectory() as folder:
        found = encoded(
            Path(folder), export, version, unit, mode=mode, driving=frame(table, rows), joins=joins
        )
        files = [str(Path(folder) / file.path) for file in found.files]
        names = _identities_in(files, export, unit)
        _require_readable(files)

    good = set(_identities(frame(table, [rows[0], rows[-1]]), export, unit))
    assert good <= names
    assert all(isinstance(json.loads(row.identity), list) for row in found.rejected)
    # What an initial export or a hard delete leaves out is neither sent nor held back.
    assert sum(f.rows for f in found.files) + sum(r.count for r in found.rejected) <= len(rows)


def _joined(name: str) -> st.SearchStrategy[list[Row]]:
    return st.lists(any_row(SOURCE_TABLES[name]), max_size=2)


def _around(name: str) -> list[Row]:
    """Those that the good rows are about."""
    keys = {"people": "internal_customer_id", "objects": "internal_object_id"}
    return [{keys[name]: f"good {n}"} for n in (1, 2)] if name in keys else []


def _identities(rows: pl.LazyFrame, export: Export, unit: str) -> list[str]:
    return rows.select(identity_expr(export, unit).alias("i")).collect()["i"].to_list()


def _identities_in(files: list[str], export: Export, unit: str) -> set[str]:
    return set(_identities(pl.scan_parquet(files), export, unit)) if files else set()


def _require_readable(files: list[str]) -> None:
    """D26: each reader holds every value."""
    duckdb.execute("set TimeZone = 'UTC'")
    for file in files:
        rows = pq.read_table(file).to_pylist()
        duck = duckdb.read_parquet(file).fetchall()
        assert len(duck) == len(rows) == len(pl.read_parquet(file).rows())


TIMES = [
    (export.name, column.name)
    for export in EXPORTS.values()
    for column in export.columns
    if column.type is ColumnType.TIMESTAMP
    and column.name in {c.name for c in SOURCE_TABLES[export.source].columns}
]


@pytest.mark.parametrize(("export", "column"), TIMES)
@pytest.mark.parametrize("unit", UNITS)
def test_d26_times_that_no_reader_can_hold_are_held_back(
    tmp_path: Path, export: str, column: str, unit: str
) -> None:
    declared = EXPORTS[export]
    rows: list[Row] = [
        {**good_row(declared, n), column: at} for n, at in enumerate((*EDGES, *ODD_TIMES))
    ]
    driving = frame(SOURCE_TABLES[declared.source], rows)

    found = encoded(tmp_path, declared, 5, unit, mode=Mode.CHANGES, driving=driving, joins={})

    assert sum(file.rows for file in found.files) == len(EDGES)
    assert {row.reason for row in found.rejected} == {
        f"{column} lies outside of the years 1 to 9999"
    }
    assert sum(row.count for row in found.rejected) == len(ODD_TIMES)
    if column in identity_columns(declared):
        named = {json.loads(row.identity)[-1] for row in found.rejected}
        assert named == {str(at) for at in ODD_TIMES}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("export", ["people", "objects", "object_types"])
def test_d26_a_row_that_is_gone_is_told_also_after_the_last_time(export: str, unit: str) -> None:
    rows = sent(export, {CHANGE: DELETED, COMMITTED_AT: NOON, "updated_at": LATEST}, unit=unit)

    assert rows["updated_at"].to_list() == [
        LATEST if unit == "us" else LATEST.replace(microsecond=999_000)
    ]


@pytest.mark.parametrize("bad", [(), (3,), (0, 5, 6), tuple(range(8))])
def test_d23_a_panic_over_one_row_is_that_rows(
    monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...]
) -> None:
    """A harmless stand-in for what a library may do with some value."""

    def panicking(rows: pl.DataFrame, identity: pl.Expr) -> pl.DataFrame:
        concerned = any(str(number) in rows["event_id"] for number in bad)
        if concerned and not identity.meta.eq(pl.lit(NAMELESS)):
            raise PanicException("a panic")
        return rows.select("workspace_id", identity.alias("identity"), "reason")

    monkeypatch.setattr(quarantine, "_identified", panicking)
    rows: list[Row] = [{"event_id": str(number), "name": None} for number in range(8)]

    found = held_back("events", {"event_id": "good"}, *rows)

    reason = "name is required and null"
    good = [(1, f'["{n}"]', reason, 1) for n in range(8) if n not in bad]
    nameless = [(1, NAMELESS, reason, len(bad))] if bad else []
    assert sorted(found) == sorted([*nameless, *good])

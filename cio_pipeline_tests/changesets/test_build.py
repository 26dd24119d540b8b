import json
import random
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.changesets.build import build
from cio_pipeline.changesets.quarantine import identity_columns, identity_expr
from cio_pipeline.changesets.rules import RULES
from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import ColumnType, Export
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES, VERSION
from cio_pipeline.model.plans import Mode
from cio_pipeline_tests.changesets.rows import (
    NOON,
    Row,
    changeset,
    held_back,
    sent,
    snapshot,
)

ALL = [(version, export.name) for version in VERSIONS for export in exports_of(version)]
REJECTED = {
    "workspace_id": pl.Int64,
    "identity": pl.String,
    "reason": pl.String,
    "count": pl.UInt32,
}


def numbered(export: Export, number: int) -> Row:
    """A source row whose row key no other number has."""
    types = {column.name: column.type for column in export.columns}
    made: dict[ColumnType, Any] = {
        ColumnType.INTEGER: number,
        ColumnType.STRING: f"{number:04}",
        ColumnType.TIMESTAMP: NOON + timedelta(microseconds=number),
    }
    return {name: made[types[name]] for name in export.row_key}


def test_every_export_has_a_rule() -> None:
    assert RULES.keys() == EXPORTS.keys()


@pytest.mark.parametrize(("version", "export"), ALL)
@pytest.mark.parametrize("mode", Mode)
def test_d2_rows_have_the_contracts_columns_and_types(
    version: int, export: str, mode: Mode
) -> None:
    for unit in ("us", "ms"):
        empty = changeset(export, mode=mode, version=version, unit=unit)
        expected = polars_schema(EXPORTS[export], version, unit)

        assert dict(empty.rows.collect_schema()) == {**expected, SERIES: pl.String()}
        assert list(empty.rows.collect(engine="streaming").columns) == [*expected, SERIES]
        assert empty.rejected.collect(engine="streaming").schema == REJECTED


def test_d2_milliseconds() -> None:
    at = NOON + timedelta(microseconds=123_456)

    rows = sent("campaigns", {"updated_at": at}, unit="ms")

    assert rows["updated_at"].to_list() == [NOON + timedelta(milliseconds=123)]


@pytest.mark.parametrize("export", EXPORTS)
def test_exports_that_do_not_split_are_plain(export: str) -> None:
    assert sent(export, {CHANGE: NEW})[SERIES].to_list() == ["plain"]


@given(
    st.sampled_from(sorted(EXPORTS)),
    st.sampled_from(Mode),
    st.lists(st.none() | st.integers(1, 4), max_size=12),
    st.sets(st.integers(1, 4)),
)
def test_o8_rows_of_other_workspaces_never_appear(
    export: str, mode: Mode, owners: list[int | None], served: set[int]
) -> None:
    declared = EXPORTS[export]
    rows = [{**numbered(declared, n), "workspace_id": w} for n, w in enumerate(owners)]
    broken = [{**row, declared.row_key[0]: None} for row in rows]
    # Whatever is joined is there for each row: only the driving rows decide.
    joins = {name: rows for name in declared.joins if name != "deliveries"}
    options: dict[str, Any] = {"mode": mode, "workspaces": served, "joins": joins}

    found = sent(export, *rows, **options)["workspace_id"].to_list()
    rejected = held_back(export, *broken, **options)

    if "attributes" not in export:  # initial attributes leave out more: see test_people
        assert sorted(found) == sorted(w for w in owners if w in served)
    assert set(found) <= served
    assert {row[0] for row in rejected} <= served


@pytest.mark.parametrize(("version", "export"), ALL)
@pytest.mark.parametrize("mode", [Mode.CHANGES, Mode.CATCH_UP, Mode.RETRY])
def test_changesets_are_the_same_in_whatever_order_the_changes_came(
    version: int, export: str, mode: Mode
) -> None:
    declared = EXPORTS[export]
    rows = [{**numbered(declared, n), "workspace_id": 1 + n % 2} for n in range(60)]
    options: dict[str, Any] = {"mode": mode, "version": version, "workspaces": [1, 2]}

    ordered = sent(export, *rows, **options)
    random.Random(1).shuffle(rows)  # noqa: S311 - a fixed shuffle
    shuffled = sent(export, *rows, **options)

    assert ordered.height == 60
    assert shuffled.equals(ordered)
    assert ordered["workspace_id"].is_sorted()


def test_changesets_are_sorted_by_workspace_entity_version_and_row() -> None:
    rows: list[Row] = [
        {"workspace_id": w, "campaign_id": c, VERSION: v, "version": n, "updated_at": NOON}
        for w, c, v, n in ((2, 1, 1, 1), (1, 2, 1, 5), (1, 1, 3, 6), (1, 1, 2, 8), (1, 1, 2, 7))
    ]

    found = sent("campaigns", *rows, workspaces=[1, 2])

    assert found.select("workspace_id", "campaign_id", "version").rows() == [
        (1, 1, 7),
        (1, 1, 8),
        (1, 1, 6),
        (1, 2, 5),
        (2, 1, 1),
    ]


@pytest.mark.parametrize(("export", "key"), [("metrics", "event_id"), ("campaigns", "campaign_id")])
@pytest.mark.parametrize("mode", [Mode.CHANGES, Mode.CATCH_UP, Mode.RETRY])
def test_d1_rows_of_an_entity_come_oldest_first_whenever_they_were_committed(
    export: str, key: str, mode: Mode
) -> None:
    """D28: the order that the schema pages let readers count on."""
    by = str(EXPORTS[export].newest_by)
    numbers = (5, 12, 100)
    ages = numbers if by == "seq_num" else tuple(NOON + timedelta(hours=n) for n in numbers)
    entities = ("a", "b") if key == "event_id" else (1, 2)
    oldest_first = [(entity, age) for entity in entities for age in ages]
    rows: list[Row] = [
        {key: entity, by: age, **({} if mode is Mode.RETRY else {VERSION: 9 - place})}
        for place, (entity, age) in enumerate(oldest_first)
    ]
    assert sent(export, *reversed(rows), mode=mode).select(key, by).rows() == oldest_first


@pytest.mark.parametrize("export", ["metrics", "attributes", "inbound", "people", "events"])
def test_initial_exports_keep_the_sources_order_through_every_join(export: str) -> None:
    declared = EXPORTS[export]
    key = declared.row_key[0]
    shuffled = pl.int_range(250_000, eager=True).shuffle(seed=1).cast(pl.String)
    names = {name: shuffled.alias(name) for name in (key, "internal_customer_id")}
    value: Row = {"attribute_value": "1"} if export == "attributes" else {}
    driving = snapshot(declared.source, value).collect()[[0] * shuffled.len()]
    person = pl.int_range(250_000).cast(pl.String).alias("internal_customer_id")
    people = snapshot("people", {}).collect()[[0] * shuffled.len()].with_columns(person)
    gone = people.with_columns(deleted=pl.col("internal_customer_id").str.ends_with("8"))

    rows = build(
        declared,
        5,
        "us",
        Mode.INITIAL,
        driving.with_columns(names.values()).lazy(),
        joins={"people": gone.lazy(), "deliveries": snapshot("deliveries")},
        workspaces=[1],
        floor=None,
    ).rows.collect(engine="streaming")

    kept = shuffled.filter(~shuffled.str.ends_with("8") | (export != "attributes"))
    assert rows[key].to_list() == kept.to_list()


def test_initial_exports_do_not_deduplicate() -> None:
    assert sent("metrics", {}, {}, mode=Mode.INITIAL).height == 2


REQUIRED = [
    (mode, export.name, column.name)
    for export in EXPORTS.values()
    for mode in (Mode.INITIAL, Mode.CHANGES, Mode.RETRY)
    if mode is not Mode.INITIAL or not export.name.endswith("attributes")
    for column in export.columns
    if column.required and column.name not in {"workspace_id", "deleted"}
    for source in SOURCE_TABLES[export.source].columns
    if source.name == column.name and source.required
]
"""Required columns that come from the source as they are."""


@pytest.mark.parametrize(("mode", "export", "column"), REQUIRED)
def test_o1_a_required_null_holds_back_its_row_only(mode: Mode, export: str, column: str) -> None:
    declared = EXPORTS[export]
    good, bad = numbered(declared, 1), {**numbered(declared, 2), column: None}

    ((workspace, identity, reason, count),) = held_back(export, good, bad, mode=mode)

    assert sent(export, good, bad, mode=mode).height == 1
    assert (workspace, reason, count) == (1, f"{column} is required and null", 1)
    assert len(json.loads(identity)) == len(identity_columns(declared))


def test_o1_the_first_reason_in_column_order_wins() -> None:
    row = {"event_id": "e", "properties": "no", "type": "no", "name": None}

    assert held_back("events", row) == [(1, '["e"]', "name is required and null", 1)]


def test_o1_equal_identities_and_reasons_are_counted() -> None:
    rows: list[Row] = [{"event_id": i, "name": None} for i in ("b", "a", "b", None, None)]

    assert held_back("events", *rows) == [
        (1, '["a"]', "name is required and null", 1),
        (1, '["b"]', "name is required and null", 2),
        (1, "[null]", "event_id is required and null", 2),
    ]


def test_rows_without_a_workspace_are_nobodys() -> None:
    row = {"workspace_id": None}

    assert sent("events", row).is_empty()
    assert held_back("events", row) == []


def test_o1_reasons_carry_no_values() -> None:
    row = {"event_id": "e", "type": "secret", "properties": "secret", "body": "secret"}

    assert "secret" not in str(held_back("events", row))


@given(st.lists(st.none() | st.text(), min_size=1, max_size=5))
def test_an_identity_is_a_json_array_of_text(names: list[str | None]) -> None:
    export = EXPORTS["attributes"]
    rows = snapshot("attributes", *({"attribute_name": name} for name in names))

    found = rows.select(identity_expr(export).alias("i")).collect(engine="streaming")["i"]

    assert [json.loads(text) for text in found] == [["x", name] for name in names]


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("unit", ["us", "ms"])
def test_a_row_has_the_same_identity_in_the_source_as_in_the_export(export: str, unit: str) -> None:
    declared = EXPORTS[export]
    rows = [numbered(declared, n) for n in (1, 2, 1234)]
    mine = identity_expr(declared, unit).alias("i")

    of_source = snapshot(declared.source, *rows).select(mine).collect()
    of_export = sent(export, *rows, unit=unit).select(mine)

    assert of_source.equals(of_export)


def test_a_deleted_change_names_its_row() -> None:
    row = {CHANGE: DELETED, "internal_customer_id": None, COMMITTED_AT: NOON}

    ((_, identity, reason, _),) = held_back("people", row)

    assert identity == "[null]"
    assert reason == "internal_customer_id is required and null"

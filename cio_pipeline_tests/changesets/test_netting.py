"""Netting of change feeds, against a plain-Python model (D6)."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.changesets.netting import (
    CHANGE_TYPE,
    COMMIT_TIME,
    COMMIT_VERSION,
    net,
)
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

IDENTITY = ("workspace_id", "key")
SCHEMA = {
    "workspace_id": pl.Int64(),
    "key": pl.String(),
    "value": pl.String(),
    "tags": pl.List(pl.String()),
    CHANGE_TYPE: pl.String(),
    COMMIT_VERSION: pl.Int64(),
    COMMIT_TIME: pl.Datetime("us", "UTC"),
}
Key = tuple[int, str]
Value = tuple[str | None, tuple[str | None, ...] | None]


def time_of(version: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=version)


@dataclass
class Table:
    """A table with a change feed, as Delta Lake keeps one."""

    state: dict[Key, Value] = field(default_factory=dict[Key, Value])
    version: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def report(self, kind: str, key: Key, value: Value) -> None:
        self.rows.append(
            {
                "workspace_id": key[0],
                "key": key[1],
                "value": value[0],
                "tags": None if value[1] is None else list(value[1]),
                CHANGE_TYPE: kind,
                COMMIT_VERSION: self.version,
                COMMIT_TIME: time_of(self.version),
            }
        )

    def merge(self, values: dict[Key, Value]) -> None:
        self.version += 1
        for key, value in values.items():
            if key in self.state:
                self.report("update_preimage", key, self.state[key])
                self.report("update_postimage", key, value)
            else:
                self.report("insert", key, value)
            self.state[key] = value

    def delete(self, values: dict[Key, Value]) -> None:
        self.version += 1
        for key in values.keys() & self.state.keys():
            self.report("delete", key, self.state.pop(key))

    def overwrite(self, values: dict[Key, Value]) -> None:
        self.version += 1
        for key, value in self.state.items():
            self.report("delete", key, value)
        for key, value in values.items():
            self.report("insert", key, value)
        self.state = dict(values)

    def touch(self, values: dict[Key, Value]) -> None:
        """Update rows to what they are; overwrite the table by itself."""
        self.merge({key: self.state[key] for key in values.keys() & self.state.keys()})
        self.overwrite(dict(self.state))


keys = st.tuples(st.integers(1, 2), st.sampled_from("abc"))
values = st.tuples(
    st.none() | st.sampled_from("xy"),
    st.none() | st.lists(st.none() | st.sampled_from("pq"), max_size=2).map(tuple),
)
commits = st.lists(
    st.tuples(
        st.sampled_from(["merge", "delete", "overwrite", "touch"]),
        st.dictionaries(keys, values, max_size=4),
    ),
    max_size=7,
)


def feed_of(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA)


def expected(before: dict[Key, Value], table: Table) -> set[tuple[object, ...]]:
    """What the range comes to: (key, value, change, version)."""
    found: set[tuple[object, ...]] = set()
    for key in before.keys() | table.state.keys():
        old, now = before.get(key), table.state.get(key)
        if old == now:
            continue
        last = max(
            int(row[COMMIT_VERSION])
            for row in table.rows
            if (row["workspace_id"], row["key"]) == key
        )
        change = NEW if old is None else DELETED if now is None else CHANGED
        found.add((key, now or old, change, last))
    return found


def outcome(frame: pl.LazyFrame, engine: Any = "in-memory") -> list[tuple[object, ...]]:
    rows = frame.collect(engine=engine).to_dicts()
    assert all(row[COMMITTED_AT] == time_of(row[VERSION]) for row in rows)
    return [
        (
            (row["workspace_id"], row["key"]),
            (row["value"], None if row["tags"] is None else tuple(row["tags"])),
            row[CHANGE],
            row[VERSION],
        )
        for row in rows
    ]


def replayed(history: list[tuple[str, dict[Key, Value]]], start: int) -> tuple[Any, Table]:
    table = Table()
    for verb, rows in history[:start]:
        getattr(table, verb)(rows)
    before, table.rows = dict(table.state), []
    for verb, rows in history[start:]:
        getattr(table, verb)(rows)
    return before, table


@given(commits, st.integers(0, 7), st.randoms(use_true_random=False))
def test_d6_netting_gives_the_difference_of_two_states(
    history: list[tuple[str, dict[Key, Value]]], start: int, shuffler: random.Random
) -> None:
    before, table = replayed(history, start)
    shuffler.shuffle(table.rows)
    found = outcome(net(feed_of(table.rows), IDENTITY))
    assert len(found) == len(set(found))
    assert set(found) == expected(before, table)
    assert not net(feed_of(table.rows), IDENTITY).collect()[AGAIN].any()
    streamed = outcome(net(feed_of(table.rows), IDENTITY), "streaming")
    assert sorted(map(str, streamed)) == sorted(map(str, found))


def test_d6_a_change_that_does_not_grow_its_column_is_told() -> None:
    table = Table()
    table.merge({(1, "a"): ("1", None), (1, "b"): ("5", None), (1, "c"): ("1", None)})
    table.rows = []
    table.merge({(1, "a"): ("2", None), (1, "b"): ("4", None), (1, "new"): ("1", None)})
    table.merge({(1, "b"): ("3", None)})
    found = net(feed_of(table.rows), IDENTITY, "value").collect().sort("key")
    assert found.select("key", CHANGE, GREW).rows() == [
        ("a", CHANGED, True),
        ("b", CHANGED, False),
        ("new", NEW, None),
    ]


@pytest.mark.parametrize(
    ("kinds", "again"),
    [
        ("i", False),
        ("ii", True),
        ("iii", True),
        ("i di", False),
        ("i pq", False),
        ("pqq", True),
        ("ppqq", True),
        ("di i", True),
    ],
)
def test_o1_what_is_put_there_again_is_told(kinds: str, again: bool) -> None:  # noqa: FBT001 - a case
    """A blank ends a commit."""
    names = {"i": "insert", "d": "delete", "p": "update_preimage", "q": "update_postimage"}
    rows = [
        (1, "a", f"{version}{n}", None, names[kind], version, time_of(version))
        for version, commit in enumerate(kinds.split(), 1)
        for n, kind in enumerate(commit)
    ]
    found = net(pl.LazyFrame(rows, schema=SCHEMA, orient="row"), IDENTITY).collect()
    assert found[AGAIN].to_list() == [again]


def test_d6_rows_without_identity_are_kept_one_by_one() -> None:
    rows = [
        ("insert", "k", "v", 1),
        ("insert", None, "x", 1),
        ("insert", None, "x", 1),
        ("insert", None, "y", 3),
        ("update_preimage", None, "y", 4),
        ("update_postimage", None, "z", 4),
        ("delete", None, "q", 5),
    ]
    feed = pl.LazyFrame(
        [(1, key, value, None, kind, v, time_of(v)) for kind, key, value, v in rows],
        schema=SCHEMA,
        orient="row",
    )
    found = outcome(net(feed, IDENTITY))
    nameless = [row for row in found if row[0] == (1, None)]
    assert sorted(str(row[1]) for row in nameless) == [
        "('x', None)",
        "('x', None)",
        "('y', None)",
        "('z', None)",
    ]
    assert [row[3] for row in nameless if row[1] == ("z", None)] == [4]
    assert {row[2] for row in found} == {NEW}
    assert len(found) == 5


def test_d6_an_identity_changed_in_place_is_a_delete_and_a_new_row() -> None:
    feed = pl.LazyFrame(
        [
            (1, "old", "v", None, "update_preimage", 2, time_of(2)),
            (1, "now", "v", None, "update_postimage", 2, time_of(2)),
        ],
        schema=SCHEMA,
        orient="row",
    )
    found = outcome(net(feed, IDENTITY))
    assert {(row[0], row[2]) for row in found} == {((1, "old"), DELETED), ((1, "now"), NEW)}


@given(st.permutations(range(6)))
def test_d6_repeated_identities_do_not_depend_on_the_feeds_order(order: list[int]) -> None:
    rows = [(1, "a", str(n), None, "insert", 1 + n // 3, time_of(1 + n // 3)) for n in range(6)]
    feed = pl.LazyFrame([rows[n] for n in order], schema=SCHEMA, orient="row")
    same = pl.LazyFrame(rows, schema=SCHEMA, orient="row")
    assert outcome(net(feed, IDENTITY)) == outcome(net(same, IDENTITY))

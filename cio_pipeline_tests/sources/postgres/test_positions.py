"""D6: a table's rows at a position, and the changes between two, whatever happens since."""

import polars as pl

from cio_pipeline.model.changeset import CHANGE
from cio_pipeline.model.cuts import TableCut
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.things import THINGS, values_of


def state(made: Made, at: TableCut) -> dict[str, str | None]:
    return values_of(made.source.snapshot(THINGS, at))


def changed(made: Made, lower: TableCut, upper: TableCut) -> dict[str, tuple[str, str | None]]:
    """key → (what happened, value)."""
    rows = made.source.changes(THINGS, lower, upper).select("key", CHANGE, "value").collect()
    return {key: (what, value) for key, what, value in rows.iter_rows()}


def test_d6_rows_and_changes_stay_what_they_were_at_a_position(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'b', '1'), (1, 'c', '1')")
    first = base.things()
    base.do(
        "UPDATE things SET value = '2' WHERE key = 'a'",
        "DELETE FROM things WHERE key = 'b'",
        "INSERT INTO things VALUES (1, 'd', '1')",
    )
    second = base.things()
    base.do(
        "UPDATE things SET value = '3' WHERE key = 'd'",
        "UPDATE things SET value = '3' WHERE key = 'a'",
        "UPDATE things SET value = '4' WHERE key = 'a'",
        "DELETE FROM things WHERE key = 'c'",
        "INSERT INTO things VALUES (1, 'b', '1')",
    )
    third = base.things()
    base.do("TRUNCATE things")
    last = base.things()

    assert state(base, first) == {"a": "1", "b": "1", "c": "1"}
    assert state(base, second) == {"a": "2", "c": "1", "d": "1"}
    assert state(base, third) == {"a": "4", "b": "1", "d": "3"}
    assert state(base, last) == {}
    assert changed(base, first, second) == {
        "a": ("changed", "2"),
        "b": ("deleted", "1"),
        "d": ("new", "1"),
    }
    assert changed(base, second, third) == {
        "a": ("changed", "4"),
        "b": ("new", "1"),
        "c": ("deleted", "1"),
        "d": ("changed", "3"),
    }
    assert changed(base, first, third) == {
        "a": ("changed", "4"),
        "c": ("deleted", "1"),
        "d": ("new", "3"),
    }
    assert set(changed(base, third, last)) == {"a", "b", "d"}
    assert changed(base, first, first) == {}


def test_d6_rows_come_in_the_order_in_which_they_lay(base: Made) -> None:
    base.do("INSERT INTO things SELECT 1, g::text, repeat('x', 900) FROM generate_series(1, 99) g")
    base.do("ANALYZE things")
    at = base.things()
    before = base.source.snapshot(THINGS, at).collect()
    base.do(
        "UPDATE things SET value = 'y' WHERE key::int % 3 = 0",
        "DELETE FROM things WHERE key::int % 7 = 0",
    )
    slices = base.source.slices(THINGS, at, 20)
    assert before["key"].to_list() == [str(n) for n in range(1, 100)]
    assert len(slices) > 3
    assert base.source.slices(THINGS, at, 20) == slices
    parts = [base.source.snapshot(THINGS, at, part).collect() for part in slices]
    assert max(part.height for part in parts) <= 20
    assert pl.concat(parts).equals(before)
    assert base.source.snapshot(THINGS, at).collect().equals(before)

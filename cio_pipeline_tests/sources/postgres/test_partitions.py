"""D6: partitions: rows that move between them, and partitions that come and are emptied."""

import re
from collections.abc import Sequence

import pytest

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import SourceError
from cio_pipeline.sources.postgres.install import removing
from cio_pipeline.sources.postgres.upkeep import carry_out
from cio_pipeline_tests.sources.postgres.databases import COLUMNS, Made, reader_of
from cio_pipeline_tests.sources.postgres.test_installing import found_in, look, steps
from cio_pipeline_tests.sources.postgres.test_positions import changed, state

ATTACHED = (
    f"CREATE TABLE public.q ({COLUMNS}, change_xid xid8)",
    "INSERT INTO q VALUES (1, 'q', '1'), (1, 'r', '1'), (1, 's', '1')",
    "ALTER TABLE things ATTACH PARTITION q FOR VALUES IN ('q', 'r', 's')",
)


def test_partitioned_tables_are_read_like_others(partitioned: Made) -> None:
    base = partitioned
    assert not steps(base)
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'c', '1'), (1, 'd', '1')")
    first = base.things()
    base.do(
        "UPDATE things SET key = 'b' WHERE key = 'c'",  # moves to the other partition
        "UPDATE ab SET value = '2' WHERE key = 'a'",
        "DELETE FROM rest WHERE key = 'd'",
    )
    second = base.things()
    assert state(base, first) == {"a": "1", "c": "1", "d": "1"}
    assert state(base, second) == {"a": "2", "b": "1"}
    assert changed(base, first, second) == {
        "a": ("changed", "2"),
        "b": ("new", "1"),
        "c": ("deleted", "1"),
        "d": ("deleted", "1"),
    }


def test_a_role_with_the_printed_rights_reads_partitions(partitioned: Made) -> None:
    partitioned.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'c', '1')")
    reader = reader_of(partitioned)
    at = reader.things()
    assert state(reader, at) == {"a": "1", "c": "1"}
    reader.source.server.close()


def test_partitions_that_lie_elsewhere_are_refused(partitioned: Made) -> None:
    assert look(partitioned)
    partitioned.do(
        "CREATE FOREIGN DATA WRAPPER away",
        "CREATE SERVER there FOREIGN DATA WRAPPER away",
        "CREATE FOREIGN TABLE far PARTITION OF things FOR VALUES IN ('q') SERVER there",
    )
    with pytest.raises(SourceError, match="foreign"):
        look(partitioned)


@pytest.mark.parametrize(
    ("emptied", "gone"),
    [
        (("TRUNCATE ab",), "ab"),
        (("TRUNCATE rest",), "c"),
        (("TRUNCATE ab, rest",), "abc"),
        (("TRUNCATE things",), "abc"),
        (("TRUNCATE ONLY ab",), "ab"),
        (("BEGIN; UPDATE things SET value = '2'; TRUNCATE ab; COMMIT",), "ab"),
        (("BEGIN; TRUNCATE ab; ROLLBACK", "DELETE FROM ab WHERE key = 'a'"), "a"),
    ],
)
def test_rows_of_a_partition_that_is_emptied_are_kept(
    partitioned: Made, emptied: Sequence[str], gone: str
) -> None:
    base = partitioned
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'b', '1'), (1, 'c', '1')")
    first = base.things()
    base.do(*emptied)
    second = base.things()
    assert state(base, first) == {"a": "1", "b": "1", "c": "1"}
    assert set(state(base, second)) == set("abc") - set(gone)
    found = changed(base, first, second)
    assert {key for key, (what, _) in found.items() if what == "deleted"} == set(gone)


def test_a_new_partition_that_is_emptied_unseen_is_told_until_it_is_guarded(
    partitioned: Made,
) -> None:
    """Reading goes on without the trigger of a partition that was made since, until it matters."""
    base = partitioned
    base.do("CREATE TABLE public.q PARTITION OF things FOR VALUES IN ('q')")
    base.do("INSERT INTO things VALUES (1, 'q', '1'), (1, 'a', '1')")
    first = base.cut()
    assert base.cut(first) == first
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]
    base.do("TRUNCATE q")
    require_refused(base, first)
    base.install()
    assert not steps(base)
    # Nobody may take the trigger for one that was there before.
    require_refused(base, first)
    base.do("INSERT INTO things VALUES (1, 'q', '2')")
    second = base.things()
    base.do("TRUNCATE q")
    assert state(base, second) == {"a": "1", "q": "2"}
    assert changed(base, second, base.things()) == {"q": ("deleted", "2")}


def require_refused(base: Made, at: Cut) -> SourceError:
    """Nothing of a position is read; the error."""
    for read in (base.cut, lambda cut: state(base, cut.tables["things"])):
        with pytest.raises(SourceError, match=r"Partition public.q of table things was") as told:
            read(at)
    return told.value


def test_who_says_that_a_partition_was_only_written_anew_goes_on(partitioned: Made) -> None:
    base = partitioned
    base.do("CREATE TABLE public.q PARTITION OF things FOR VALUES IN ('q')")
    base.do("INSERT INTO things VALUES (1, 'q', '1')")
    first = base.cut()
    base.do("VACUUM FULL q")
    base.install()
    said = re.search(
        r"UPDATE cio.tables [^`]*'things'", require_refused(base, first).next_step or ""
    )
    assert said is not None
    base.do(said[0])
    assert base.cut(first) == first
    assert state(base, first.tables["things"]) == {"q": "1"}
    second = base.things()
    base.do("TRUNCATE q")
    assert changed(base, second, base.things()) == {"q": ("deleted", "1")}


@pytest.mark.parametrize("default", ["", " DEFAULT pg_current_xact_id()"])
def test_rows_of_a_partition_that_was_away_are_new_when_it_is_back(
    partitioned: Made, default: str
) -> None:
    """Detached, its rows change untold: triggers went with it."""
    base = partitioned
    base.do(*(one.replace("xid8", f"xid8{default}") for one in ATTACHED))
    base.install()
    first = base.cut()
    base.do(
        "ALTER TABLE things DETACH PARTITION q",
        "UPDATE q SET value = '2' WHERE key = 'q'",
        "DELETE FROM q WHERE key IN ('r', 's')",
        "INSERT INTO q (workspace_id, key, value) VALUES (1, 's', '2')",
        ATTACHED[-1],
    )
    base.install()
    second = base.cut(first)
    base.do("UPDATE q SET value = '3' WHERE key = 'q'", "DELETE FROM q WHERE key = 's'")
    third = base.cut(second)
    one, two, three = (cut.tables["things"] for cut in (first, second, third))
    assert changed(base, one, two) == {"q": ("new", "2"), "s": ("new", "2")}
    assert changed(base, two, three) == {"q": ("changed", "3"), "s": ("deleted", "2")}
    assert base.cut(third) == third


@pytest.mark.parametrize("off", [None, "q", "ab", "ab: as usual"])
def test_a_whole_table_that_is_emptied_keeps_rows_of_partitions_made_since(
    partitioned: Made, off: str | None
) -> None:
    """Once each, whichever partition has a trigger that fires; and reading goes on."""
    base = partitioned
    base.do("CREATE TABLE public.q PARTITION OF things FOR VALUES IN ('q')")
    if off == "q":
        base.install()
    if off is not None:
        what = "ENABLE" if off.endswith("usual") else "DISABLE"
        base.do(f"ALTER TABLE {off.split(':')[0]} {what} TRIGGER cio_empty")
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'c', '1'), (1, 'q', '1')")
    first = base.cut()
    base.do("TRUNCATE things")
    assert base.cut(first) != first
    base.install()
    one, two = (cut.tables["things"] for cut in (first, base.cut(first)))
    assert state(base, one) == {"a": "1", "c": "1", "q": "1"}
    assert state(base, two) == {}
    assert changed(base, one, two) == dict.fromkeys("acq", ("deleted", "1"))
    assert base.ask("SELECT count(*) FROM cio.earlier_things") == [(3,)]


def test_a_partition_that_another_table_left_is_guarded_anew(partitioned: Made) -> None:
    """Its trigger is that of the table it was detached from, and keeps nothing for this one."""
    base = partitioned
    base.do(
        "CREATE FUNCTION cio.empty_others() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NULL; END'",
        *ATTACHED,
        "CREATE TRIGGER cio_empty BEFORE TRUNCATE ON q EXECUTE FUNCTION cio.empty_others()",
        "ALTER TABLE q ENABLE ALWAYS TRIGGER cio_empty",
    )
    first = base.things()
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]
    base.do("TRUNCATE things")
    base.install()
    assert not steps(base)
    assert changed(base, first, base.things()) == dict.fromkeys("qrs", ("deleted", "1"))


def test_rows_that_come_with_their_partition_are_new(partitioned: Made) -> None:
    """Nobody wrote them into the table, and they may be changed before anybody has seen them."""
    base = partitioned
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 's', '0')")
    first = base.cut()
    base.do("DELETE FROM things WHERE key = 's'", *ATTACHED)
    second = base.cut(first)
    base.do("UPDATE things SET value = '2' WHERE key = 'q'", "DELETE FROM things WHERE key = 'r'")
    third = base.cut(second)
    one, two, three = (cut.tables["things"] for cut in (first, second, third))
    assert state(base, one) == {"a": "1", "s": "0"}
    assert state(base, two) == {"a": "1", "q": "1", "r": "1", "s": "1"}
    assert changed(base, one, two) == {
        "q": ("new", "1"),
        "r": ("new", "1"),
        "s": ("changed", "1"),
    }
    assert changed(base, two, three) == {"q": ("changed", "2"), "r": ("deleted", "1")}
    assert changed(base, one, three) == {"q": ("new", "2"), "s": ("changed", "1")}
    assert base.source.changed_rows(base.tables["things"], one, two) >= 3


def test_what_came_with_a_partition_is_only_what_the_upper_position_saw(partitioned: Made) -> None:
    """What is written into it later, and ends again, belongs to later windows."""
    base = partitioned
    cuts = [base.cut()]
    written = (
        ATTACHED,
        ("INSERT INTO things VALUES (1, 's2', '1')", "DELETE FROM things WHERE key = 's'"),
        ("UPDATE things SET value = '2' WHERE key = 's2'",),
        ("DELETE FROM things WHERE key = 's2'",),
    )
    base.do("ALTER TABLE things DETACH PARTITION rest")
    for statements in written:
        base.do(*(one.replace("'s')", "'s', 's2')") for one in statements))
        cuts.append(base.cut(cuts[-1]))
    at = [cut.tables["things"] for cut in cuts]
    came = dict.fromkeys("qrs", ("new", "1"))
    assert changed(base, at[0], at[1]) == came
    assert changed(base, at[1], at[2]) == {"s": ("deleted", "1"), "s2": ("new", "1")}
    assert changed(base, at[2], at[3]) == {"s2": ("changed", "2")}
    assert changed(base, at[3], at[4]) == {"s2": ("deleted", "2")}
    for upper in range(1, 5):
        rows = base.source.changes(base.tables["things"], at[0], at[upper]).collect()
        assert set(rows["key"]) == set(state(base, at[upper]))


def test_rows_of_a_partition_that_the_upper_position_did_not_have_are_not_in_a_window(
    partitioned: Made,
) -> None:
    """However late the window is read: one was detached before it ended, one came after."""
    base = partitioned
    loaded = "CREATE TABLE public.q (LIKE things INCLUDING DEFAULTS)"
    first = base.things()
    base.do("INSERT INTO things VALUES (1, 'a', '1')", "ALTER TABLE things DETACH PARTITION ab")
    base.do(
        loaded,
        "INSERT INTO q VALUES (1, 'q', '1'), (1, 'r', '1')",
        "INSERT INTO rest SELECT 1, 'c'",
    )
    second = base.things()
    found = [changed(base, first, second)]
    base.do("TRUNCATE ab", "ALTER TABLE things ATTACH PARTITION q FOR VALUES IN ('q', 'r')")
    found.append(changed(base, first, second))
    third = base.things()
    base.do("DELETE FROM things WHERE key = 'r'")
    found.append(changed(base, first, second))
    assert found == [{"c": ("new", None)}] * 3
    assert changed(base, second, third) == dict.fromkeys("qr", ("new", "1"))


def test_rows_of_a_partition_that_went_end_with_it_alone(partitioned: Made) -> None:
    """Its trigger for TRUNCATE goes with it: what it then tells is none of the table's any more."""
    base = partitioned
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'c', '1')")
    first = base.things()
    base.do(
        "ALTER TABLE things DETACH PARTITION ab",
        "INSERT INTO things (workspace_id, key, value) SELECT workspace_id, key, value FROM ab",
    )
    second = base.things()
    base.do("TRUNCATE ab")
    third = base.things()
    assert state(base, second) == state(base, third) == {"a": "1", "c": "1"}
    assert changed(base, second, third) == {}
    assert {key for key, (what, _) in changed(base, first, third).items() if what != "new"} == set()


def test_what_is_installed_for_partitions_is_taken_away_again(partitioned: Made) -> None:
    where, there = found_in(partitioned)
    carry_out(partitioned.source.server, removing(where, there, last=True), lambda _: None)
    assert partitioned.ask("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'cio%'") == []
    partitioned.do("TRUNCATE ab", "TRUNCATE things")


@pytest.mark.parametrize(
    "left",
    [
        ("ALTER TABLE things DETACH PARTITION ab",),
        ("ALTER TABLE things RENAME TO before", "CREATE TABLE public.things (LIKE before)"),
        (
            "ALTER TABLE things RENAME TO before",
            "CREATE TABLE public.things (LIKE before) PARTITION BY LIST (key)",
            "CREATE TABLE public.c PARTITION OF things DEFAULT",
        ),
    ],
)
def test_tables_that_are_no_longer_read_do_not_hold_up_installing_and_removing(
    partitioned: Made, left: Sequence[str]
) -> None:
    """They have triggers of ours still, which go with the functions."""
    base = partitioned
    base.do(*left, "ALTER TABLE things DISABLE TRIGGER ALL")
    assert steps(base)
    base.install()
    assert not steps(base)
    base.do("INSERT INTO things VALUES (1, 'c', '1')")
    assert state(base, base.things()) == {"c": "1"}
    where, there = found_in(base)
    carry_out(base.source.server, removing(where, there, last=True), lambda _: None)
    assert base.ask("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'cio%'") == []
    assert base.ask("SELECT nspname FROM pg_namespace WHERE nspname = 'cio'") == []

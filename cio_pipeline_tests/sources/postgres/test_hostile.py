"""D6, O6: what writers, owners and readers of a database may do that would go unnoticed."""

from threading import Thread

import polars as pl
import psycopg
import pytest

from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import SourceError, VersionGone
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.positions import Piece, Position, Snapshot, position_of
from cio_pipeline.sources.postgres.rows import frames
from cio_pipeline.sources.postgres.statements import changed_rows
from cio_pipeline.sources.postgres.upkeep import found, prune_earlier
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import COLUMNS, Made, new_database, reader_of
from cio_pipeline_tests.sources.postgres.test_installing import look, steps
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.sources.things import NOTES, THINGS, values_of
from cio_pipeline_tests.waiting import PATIENCE, until

WRITTEN = "INSERT INTO things VALUES (1, 'b', '2'); "


def wait_for_a_lock(base: Made) -> None:
    """Return once somebody waits for one of things."""
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'things'::regclass"
    until("a lock", PATIENCE, lambda: base.ask(waits) != [(0,)])


@pytest.mark.parametrize("what", ["keep", "empty"])
def test_a_reader_cannot_forge_earlier_rows(base: Made, what: str) -> None:
    """What a trigger's function may do, only the owner's triggers may ask for."""
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    reader = reader_of(base)
    event = {"keep": "AFTER DELETE", "empty": "BEFORE TRUNCATE"}[what]
    each = {"keep": "ROW", "empty": "STATEMENT"}[what]
    with reader.connect() as session:
        session.execute(f"CREATE TEMP TABLE mine ({COLUMNS}, change_xid xid8)".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(
                f"CREATE TRIGGER mine {event} ON mine FOR EACH {each} "
                f"EXECUTE FUNCTION cio.{what}_things()".encode()
            )
    reader.source.server.close()


@pytest.mark.parametrize("kind", ["plain", "partition"])
def test_triggers_that_were_off_are_noticed(base: Made, partitioned: Made, kind: str) -> None:
    """Switched off and on again, they fire for local writers only, and rows passed meanwhile."""
    made, table = {"plain": (base, "things"), "partition": (partitioned, "ab")}[kind]
    assert look(made)
    made.do(
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        "INSERT INTO things VALUES (1, 'a', '1')",
        f"ALTER TABLE {table} ENABLE TRIGGER ALL",
    )
    with pytest.raises(SourceError, match="triggers are missing or off"):
        look(made)


def test_a_truncate_in_an_older_snapshot_is_refused(base: Made) -> None:
    """It removes rows that its own transaction does not see, so nobody could keep them."""
    first = base.things()
    with base.connect(autocommit=False) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.execute("SELECT 1")
        base.do("INSERT INTO things VALUES (1, 'a', '1')")
        second = base.things()
        with pytest.raises(psycopg.errors.ActiveSqlTransaction, match="READ COMMITTED"):
            session.execute("TRUNCATE things")
    assert state(base, second) == {"a": "1"}
    assert changed(base, first, second) == {"a": ("new", "1")}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE things ALTER at TYPE timestamp USING at AT TIME ZONE 'UTC'",
        "ALTER TABLE things DROP COLUMN note",
    ],
)
def test_columns_that_became_other_ones_are_kept_as_they_are_now(
    postgres_cluster: Cluster, change: str
) -> None:
    names = Names.model_validate({"tables": {"things": {"columns": {"tags": "marks"}}}})
    base = Made(new_database(postgres_cluster), {"things": THINGS}, names)
    base.do(f"CREATE TABLE things ({COLUMNS}, marks text[], note text)")
    base.install()
    base.do("INSERT INTO things VALUES (1, 'a', '1', '{x}', '2026-01-01 00:00+00')")
    at = base.things()
    before = base.source.snapshot(THINGS, at).collect()
    base.do(change)
    if "TYPE" in change:
        with pytest.raises(SourceError, match="keeps other columns"):
            look(base)
        base.install()
    assert not steps(base)
    base.do("SET timezone = 'Asia/Tokyo'; UPDATE things SET value = '2'")
    assert base.source.snapshot(THINGS, at).collect().equals(before)
    assert changed(base, at, base.things()) == {"a": ("changed", "2")}
    base.source.server.close()


def test_rows_come_as_they_lie_whatever_index_there_is(base: Made) -> None:
    base.do(
        "INSERT INTO things SELECT g / 80, g::text, repeat('x', 99) "
        "FROM generate_series(1, 40000) g",
        "CREATE INDEX ON things (workspace_id, key DESC)",
        "VACUUM ANALYZE things",
    )
    at = base.things()
    every = base.source.snapshot(THINGS, at).collect()
    for workspaces in ([7], [7, 11], [499]):
        some = base.source.snapshot(THINGS, at, workspaces=workspaces).collect()
        assert some.equals(every.filter(every["workspace_id"].is_in(workspaces)))


def test_rows_that_a_policy_hides_are_told(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (2, 'b', '1')")
    reader = reader_of(base)
    base.do(
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY ours ON things FOR SELECT USING (workspace_id = 1)",
    )
    with pytest.raises(SourceError, match="may not read table things"):
        state(reader, base.things())
    reader.source.server.close()


def test_rows_that_are_seen_later_than_they_were_written_are_refused(
    postgres_cluster: Cluster,
) -> None:
    names = Names.model_validate({"tables": {"notes": {"table": "shown"}}})
    base = Made(new_database(postgres_cluster), {"notes": NOTES}, names)
    base.do(
        f"CREATE TABLE log ({COLUMNS}, change_xid xid8 DEFAULT pg_current_xact_id())",
        "CREATE MATERIALIZED VIEW shown AS SELECT * FROM log",
    )
    with pytest.raises(SourceError, match="materialized view"):
        look(base, NOTES)
    base.source.server.close()


def test_a_position_of_another_database_prunes_nothing(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    first = base.things()
    base.do("UPDATE things SET value = '2'")
    cut = base.things()
    away = cut.table_id.replace(cut.table_id.split("-")[0], "abc")
    other = type(cut)(away, cut.version + 9, "99999999:99999999: 50")
    _, there = found(base.source.server, base.names, [THINGS])
    assert prune_earlier(base.source.server, there, {"things": other}) == {}
    assert state(base, first) == {"a": "1"}


def test_what_is_pruned_while_it_is_read_is_told(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'b', '1')")
    first = base.things()
    base.do("UPDATE things SET value = '2' WHERE key = 'a'")
    second = base.things()
    rows = base.source.snapshot(THINGS, first)
    _, there = found(base.source.server, base.names, [THINGS])
    assert prune_earlier(base.source.server, there, {"things": second}) == {"things": 1}
    with pytest.raises(VersionGone, match="no longer kept"):
        values_of(rows)


def test_what_is_emptied_while_it_is_read_was_there(base: Made) -> None:
    """A snapshot from before a TRUNCATE sees neither the rows nor those that it kept."""
    first = base.things()
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    second = base.things()
    _, there = found(base.source.server, base.names, [THINGS])
    lower, upper = (position_of("things", one) for one in (first, second))
    statement = changed_rows(there[0], lower, upper, ["key"]).as_string()
    schema, got = {"key": pl.String()}, list[pl.DataFrame]()

    def read() -> None:
        got.extend(frames(base.source.server, there[0], statement, schema, first.version))

    with base.connect(autocommit=False) as session:
        session.execute("TRUNCATE things")
        thread = Thread(target=read)
        thread.start()
        wait_for_a_lock(base)
        session.commit()
        thread.join()
    assert pl.concat(got)["key"].to_list() == ["a"]


@pytest.mark.parametrize("sliced", [False, True])
def test_what_is_emptied_while_a_position_is_taken_was_there(base: Made, sliced: bool) -> None:  # noqa: FBT001 - pytest's
    """The snapshot is of before, what is found of the table's file is of after."""
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'b', '1')")
    taken: list[TableCut] = []
    with base.connect(autocommit=False) as session:
        session.execute("TRUNCATE things")
        thread = Thread(target=lambda: taken.append(base.things()))
        thread.start()
        wait_for_a_lock(base)
        session.commit()
        thread.join()
    (at,) = taken
    parts = base.source.slices(THINGS, at, 1) if sliced else [None]
    rows = [base.source.snapshot(THINGS, at, part).collect() for part in parts]
    assert pl.concat(rows)["key"].to_list() == ["a", "b"]
    assert set(changed(base, at, base.things())) == {"a", "b"}


def test_what_is_written_anew_while_a_slice_is_read_is_told(base: Made) -> None:
    base.do("INSERT INTO things SELECT 1, g::text, repeat('x', 900) FROM generate_series(1, 99) g")
    at = base.things()
    rows = base.source.snapshot(THINGS, at, base.source.slices(THINGS, at, 50)[0])
    base.do("DELETE FROM things WHERE key::int % 2 = 0", "VACUUM FULL things")
    with pytest.raises(SourceError, match="was written anew"):
        values_of(rows)


def test_rows_beyond_what_is_left_of_a_table_that_was_written_anew_are_kept(base: Made) -> None:
    """An old row comes to lie behind new ones, and the table shrinks once it has changed."""
    base.do("INSERT INTO things VALUES (1, 'zz', '1')")
    at = base.things()
    base.do(
        "INSERT INTO things SELECT 1, g::text, repeat('x', 900) FROM generate_series(1, 99) g",
        "CREATE INDEX by_key ON things (key)",
        "CLUSTER things USING by_key",
        "UPDATE things SET value = '2' WHERE key = 'zz'",
        "DELETE FROM things WHERE key <> 'zz'",
        "VACUUM FULL things",
    )
    assert state(base, at) == {"zz": "1"}


@pytest.mark.parametrize("stops", [(0,), (0, 3, 0), (2, 0, 0, 5), (4, 0), (0, 0)])
def test_each_file_of_a_position_is_read_to_its_end_by_one_slice(stops: tuple[int, ...]) -> None:
    files = tuple(Piece(oid, oid, 0, stop) for oid, stop in enumerate(stops))
    at = Position(Snapshot(1, 1), 1, files)
    for rows in (1, 2, 100):
        pieces = [one for part in at.slices(rows) for one in at.pieces(part)]
        assert sum(one.stop - one.start for one in pieces) == sum(stops)
        assert [one.oid for one in pieces if one.last] == list(range(len(stops)))
    assert [one.oid for one in at.pieces(None)] == list(range(len(stops)))


def test_names_cannot_end_the_body_of_a_function(postgres_cluster: Cluster) -> None:
    names = Names.model_validate({"tables": {"things": {"columns": {"value": "a$$; '\\b"}}}})
    base = Made(new_database(postgres_cluster), {"things": THINGS}, names)
    columns = COLUMNS.replace("value", '"a$$; \'\\b"')
    base.do(f"CREATE TABLE things ({columns})")
    base.install()
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    base.do("DELETE FROM things")
    assert state(base, at) == {"a": "1"}
    base.source.server.close()


@pytest.mark.parametrize(
    "written",
    [
        "INSERT INTO things (workspace_id, key, value, change_xid) VALUES (1, 'a', '2', NULL)",
        "INSERT INTO things (workspace_id, key, value, change_xid) VALUES (1, 'a', '2', '3')",
        "INSERT INTO things SELECT * FROM before",
        WRITTEN + "UPDATE things SET key = 'a', change_xid = NULL WHERE key = 'b'",  # noqa: S608
        WRITTEN + "COMMIT; UPDATE things SET key = 'a', change_xid = '3' WHERE key = 'b'",  # noqa: S608
    ],
)
def test_d6_the_number_that_a_writer_gives_a_row_means_nothing(base: Made, written: str) -> None:
    base.do(
        "CREATE TABLE before AS SELECT 1 AS w, 'a' AS k, '2' AS v, NULL::text[] AS t, now() AS a, "
        "true AS f, '3'::xid8 AS x"
    )
    first = base.things()
    base.do(written)
    assert changed(base, first, base.things()) == {"a": ("new", "2")}


def test_o6_names_that_a_writer_finds_first_mean_nothing_to_what_keeps_rows(base: Made) -> None:
    """It has the owner's rights: a type or function of the writer's would be called with them."""
    base.do("INSERT INTO things VALUES (1, 'a', '1', '{x}', now(), true)")
    at, name = base.things(), f"writer_{id(base)}"
    base.do(
        f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
        f"CREATE SCHEMA mine AUTHORIZATION {name}",
        f"GRANT SELECT, UPDATE ON things TO {name}",
    )
    writer = Made(base.url.replace("cio:s3cret-pg@", f"{name}:x@"), base.tables)
    body = "BEGIN RAISE EXCEPTION $$called by %$$, current_user; END"
    writer.do(
        f"CREATE FUNCTION mine.called() RETURNS xid8 LANGUAGE plpgsql AS '{body}'",
        "CREATE FUNCTION mine.pg_current_xact_id() RETURNS xid8 RETURN mine.called()",
        "CREATE FUNCTION mine.clock_timestamp() RETURNS timestamptz "
        "RETURN mine.called()::text::timestamptz",
        *(
            f"CREATE DOMAIN mine.{one} AS pg_catalog.{one} CHECK (mine.called() IS NULL)"
            for one in ("text", "timestamptz", "int8", "bool")
        ),
        "SET search_path = mine, pg_catalog, public, pg_temp; "
        "UPDATE public.things SET value = '2' WHERE key = 'a'",
    )
    assert state(base, at) == {"a": "1"}
    assert changed(base, at, base.things()) == {"a": ("changed", "2")}
    base.do(f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")

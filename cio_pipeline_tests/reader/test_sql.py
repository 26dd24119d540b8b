"""O6: the SQL of seven warehouses comes from the contracts, parses, and does what it says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString, cast

import duckdb
import polars as pl
import psycopg
import pytest
import sqlglot
from psycopg.sql import SQL, Identifier
from sqlglot import exp
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.cli.warehouse_csv import _array
from cio_pipeline.cli.warehouse_sql import READS
from cio_pipeline.contracts.declare import ColumnType
from cio_pipeline.model.errors import InvalidConfig, UnknownExport
from cio_pipeline.model.feeds import Feed
from cio_pipeline.reader.feed import Feed as Delivered
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import DIALECTS
from cio_pipeline.reader.sql.erase import Whom
from cio_pipeline.reader.sql.kit import Statement, erasure, script
from cio_pipeline.reader.sql.loads import Place
from cio_pipeline.reader.sql.redshift import write_manifests
from cio_pipeline.reader.sql.relations import relations_of
from cio_pipeline_tests.lifecycle.gone import (
    ABOUT_PEOPLE,
    EVERYBODY,
    GONE,
    STAYING,
    attribute,
    identifiers,
    person,
    row,
    run,
)
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.world import World, during

FEEDS = {
    "v4": relations_of(Feed.DATA_OUT, 4),
    "v5": relations_of(Feed.DATA_OUT, 5),
    "calls": relations_of(Feed.CALLS),
}
LOADED = ("people", "attributes", *ABOUT_PEOPLE)
COMMANDS_OF_PSQL = "\\"


ACCESS = {"redshift": "arn:aws:iam::1:role/reader", "snowflake": "acme_s3"}


def place_in(name: DialectName) -> Place:
    return Place("s3://bucket/path", "acme", access=ACCESS.get(name, ""))


def parsed(one: Statement, name: DialectName) -> exp.Expr:
    tree = sqlglot.parse_one(one.sql, read=name)
    assert not isinstance(tree, exp.Command) or one.sql.startswith("ALTER"), one.sql
    return tree


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("name", DIALECTS)
def test_o6_every_statement_is_of_its_dialect(name: DialectName, feed: str) -> None:
    """Tables have the contract's columns in its order; `from` and `to` are quoted."""
    dialect, relations = DIALECTS[name], FEEDS[feed]
    statements = list(script(relations, place_in(name), dialect))
    trees = [
        (one, parsed(one, name)) for one in statements if not one.sql.startswith(COMMANDS_OF_PSQL)
    ]
    made = {
        (one.table or ""): tree.this.expressions
        for one, tree in trees
        if isinstance(tree, exp.Create) and tree.kind == "TABLE" and "queue" not in tree.this.sql()
    }
    for relation in relations:
        declared = [one.name for one in relation.columns]
        found = [one.name.lower() for one in made[relation.name]]
        assert found[: len(declared)] == declared
        assert set(found[len(declared) :]) <= {"_file", "_row"}
        assert all(one.this.quoted for one in made[relation.name])
    views = [tree for _, tree in trees if isinstance(tree, exp.Create) and tree.kind == "VIEW"]
    newest = [one for one in views if "newest" in one.this.name.lower()]
    assert len(newest) == len(relations)


@pytest.mark.parametrize("name", DIALECTS)
def test_o6_columns_may_be_null_where_the_contract_says_so(name: DialectName) -> None:
    relation = next(one for one in FEEDS["v5"] if one.name == "events")
    created = next(
        parsed(one, name)
        for one in script([relation], place_in(name), DIALECTS[name])
        if one.sql.startswith("CREATE") and "TABLE" in one.sql and "QUEUE" not in one.sql.upper()
    )
    for column, defined in zip(relation.columns, created.this.expressions, strict=False):
        if name == "clickhouse":
            required = column.type is ColumnType.STRINGS or not defined.args["kind"].args.get(
                "nullable"
            )
            assert required == (column.required or column.type is ColumnType.STRINGS)
        else:
            kinds = [type(one.args["kind"]) for one in defined.args.get("constraints", ())]
            assert (exp.NotNullColumnConstraint in kinds) == column.required


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everybody was sent with all that is about them; then some went, and were sent as gone."""
    world = World(tmp_path_factory.mktemp("sent") / "world")
    world.sync("a", 1)
    world.commit("people", *(person(name, 0) for name in EVERYBODY), at=during(0))
    for table in ABOUT_PEOPLE:
        rows = [row(table, name, f"key-{n}", 0) for n, name in enumerate(EVERYBODY)]
        linked = [{**one, **_links(table, n)} for n, one in enumerate(rows)]
        world.commit(table, *linked, at=during(0))
    world.commit("attributes", *(attribute(name, 0) for name in EVERYBODY), at=during(0))
    run(world, 0)
    leaving = [person(name, 1, **fields) for name, fields in GONE.items()]
    world.commit("people", *leaving, at=during(1))
    run(world, 1)
    return world


def _links(table: str, number: int) -> dict[str, str]:
    """What their rows are about is known by their delivery, or their journey."""
    links = {"metrics": "delivery_id", "outputs": "subject_name"}
    return {links[table]: f"key-{number}"} if table in links else {}


@pytest.fixture
def warehouse(sent: World) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Statement]]]:
    relations = tuple(one for one in FEEDS["v5"] if one.name in LOADED)
    statements = list(script(relations, _local(sent), DIALECTS["duckdb"]))
    with duckdb.connect() as connection:
        for one in statements:
            if one.step != "erase":
                connection.execute(one.sql)
        yield connection, statements


def _local(world: World) -> Place:
    return Place(str(world.folder()), "acme")


def named(connection: duckdb.DuckDBPyConnection, person: str) -> set[str]:
    """The tables in which somebody is named in any text."""
    found: set[str] = set()
    for table in LOADED:
        text = str(connection.table(f"acme.{table}").fetchall())
        if any(one in text for one in identifiers(person)):
            found.add(table)
    return found


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {one: connection.table(f"acme.{one}").count("*").fetchall()[0][0] for one in LOADED}


def test_o6_each_file_is_loaded_once(
    warehouse: tuple[duckdb.DuckDBPyConnection, list[Statement]], sent: World
) -> None:
    connection, statements = warehouse
    for one in statements:
        if one.step == "load":
            connection.execute(one.sql)
    assert counts(connection) == {table: sent.read(table).height for table in LOADED}


def test_o6_d1_a_change_file_beats_a_plain_one(
    warehouse: tuple[duckdb.DuckDBPyConnection, list[Statement]],
) -> None:
    """Also where both say the same time."""
    connection, _ = warehouse
    connection.execute("UPDATE acme.people SET updated_at = TIMESTAMPTZ '2026-01-01 00:00:00Z'")
    newest = dict(
        connection.sql(
            "SELECT internal_customer_id, deleted OR suppressed FROM acme.people_newest"
        ).fetchall()
    )
    assert newest == {f"cio-{name}": name in GONE for name in EVERYBODY}


def test_o6_d1_a_word_in_the_folder_makes_no_change_file_of_a_plain_one(
    warehouse: tuple[duckdb.DuckDBPyConnection, list[Statement]],
) -> None:
    connection, _ = warehouse
    connection.execute(
        "UPDATE acme.people SET updated_at = TIMESTAMPTZ '2026-01-01 00:00:00Z', "
        "_file = replace('my-chngs-v5/' || parse_filename(_file), 'v5_1_1.', 'v5_1_9.')"
    )
    found = connection.sql(
        "SELECT internal_customer_id, deleted OR suppressed FROM acme.people_newest"
    )
    assert dict(found.fetchall()) == {f"cio-{name}": name in GONE for name in EVERYBODY}


def test_o6_d4_who_is_gone_is_taken_out_of_what_was_loaded_before(
    warehouse: tuple[duckdb.DuckDBPyConnection, list[Statement]],
) -> None:
    connection, statements = warehouse
    assert all(named(connection, name) == set(LOADED) for name in GONE)
    before = counts(connection)
    for one in statements:
        if one.step == "erase":
            connection.execute(one.sql)
    # The people files themselves say who is gone; nothing else names them.
    assert {name: named(connection, name) for name in GONE} == {name: {"people"} for name in GONE}
    assert named(connection, STAYING) == set(LOADED)
    # Rows from before that was said keep nothing but the id.
    before_that = connection.execute(
        "SELECT DISTINCT customer_id, email_addr FROM acme.people WHERE NOT deleted "
        "AND NOT suppressed AND list_contains(?, internal_customer_id)",
        [[f"cio-{one}" for one in GONE]],
    ).fetchall()
    assert before_that == [("", None)]
    # Of people who are gone, attributes go as a whole; all other rows stay.
    gone = {"attributes": before["attributes"] - len(GONE)}
    assert counts(connection) == before | gone


def test_o6_one_person_is_erased(
    warehouse: tuple[duckdb.DuckDBPyConnection, list[Statement]], sent: World
) -> None:
    connection, _ = warehouse
    whom = Whom(1, f"cio-{STAYING}")
    for one in erasure(FEEDS["v5"], _local(sent), DIALECTS["duckdb"], whom):
        if one.table is None and any(f'"{table}"' in one.sql for table in LOADED):
            connection.execute(one.sql)
    assert named(connection, STAYING) == set()
    assert named(connection, "leaving") == set(LOADED)


@pytest.mark.parametrize(
    "given",
    [
        {"location": "s3://b/x'; DROP TABLE people; --"},
        {"location": ""},
        {"schema": "data-out"},
        {"schema": 'x"'},
        {"access": "role'"},
    ],
)
def test_o6_what_would_break_out_of_a_statement_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidConfig, match="cannot stand in a statement"):
        Place(
            given.get("location", "s3://b/x"),
            given.get("schema", "acme"),
            access=given.get("access", ""),
        )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["az://c/p", "--dialect", "redshift", "--access", "r"], "begins with s3://"),
        (["folder", "--dialect", "redshift", "--access", "r"], "begins with s3://"),
        (["s3://bucket/", "--dialect", "redshift", "--access", "r"], "has a `path`"),
        (["az://c/p", "--dialect", "snowflake", "--access", "r"], "azure://"),
        (["s3://b/p", "--dialect", "bigquery"], "begins with gs://"),
        (["az://c/p", "--dialect", "clickhouse"], "begins with s3://"),
        (["https://b/p", "--dialect", "duckdb"], "abfss://"),
        (["folder", "--dialect", "databricks"], "/Volumes/"),
        (["folder", "--dialect", "duckdb", "--manifest", "m"], "Leave --manifest out"),
        (["folder", "--dialect", "duckdb", "--erase", "1/x", "--step", "load"], "--step"),
    ],
)
def test_o6_what_could_not_be_run_is_not_printed(words: list[str], says: str) -> None:
    found = CliRunner().invoke(app, ["warehouse", "sql", *words])
    assert isinstance(found.exception, InvalidConfig)
    assert says in found.exception.next_step
    assert not found.stdout


@pytest.mark.parametrize("name", DIALECTS)
def test_o6_what_each_dialect_can_read_is_printed(name: DialectName) -> None:
    for one in READS[name]:
        words = [f"{one}place/path", "--dialect", name, "--table", "people"]
        access = ["--access", ACCESS[name]] if name in ACCESS else []
        assert CliRunner().invoke(app, ["warehouse", "sql", *words, *access]).exit_code == 0


def test_o6_unknown_tables_and_missing_lookups_are_named() -> None:
    with pytest.raises(UnknownExport, match="no table 'persons'"):
        relations_of(Feed.DATA_OUT, 5, wanted=["persons"])
    content = tuple(one for one in FEEDS["v5"] if one.name == "delivery_content")
    with pytest.raises(InvalidConfig, match="known by deliveries"):
        list(erasure(content, place_in("duckdb"), DIALECTS["duckdb"], Whom(1, "x")))


def test_o6_bigquery_takes_no_dated_folders() -> None:
    deep = Place("gs://bucket/path", "acme", deep=True)
    with pytest.raises(InvalidConfig, match="one asterisk"):
        list(script(FEEDS["v5"], deep, DIALECTS["bigquery"]))


def test_o6_stems_and_dated_folders_are_followed(tmp_path: Path) -> None:
    (relation,) = relations_of(Feed.DATA_OUT, 5, {"actions": "workflow_steps"}, ["actions"])
    assert Place("s3://b", "x").files(relation) == "s3://b/workflow_steps_v5_*.parquet"
    assert (
        Place("s3://b", "x", deep=True)
        .files(relation)
        .endswith("b/*/*/workflow_steps_v5_*.parquet")
    )


def test_o6_postgresql_is_sent_the_same_rows(sent: World, postgres_cluster: Cluster) -> None:
    """Null and the empty text stay apart, lists are arrays; views say the same as Feed.table."""
    statements = script(FEEDS["v5"], _local(sent), DIALECTS["postgres"])
    feed = Delivered(sent.folder())
    with psycopg.connect(postgres_cluster.new_schema(), autocommit=True) as connection:
        for one in statements:
            if one.table not in {None, *LOADED} or one.step == "erase":
                continue
            if one.sql.startswith(COMMANDS_OF_PSQL):
                copy = re.sub(r"FROM PROGRAM '.*' WITH", "FROM STDIN WITH", one.sql.lstrip("\\"))
                with connection.cursor().copy(
                    cast("LiteralString", copy.removeprefix("\\"))
                ) as rows:
                    rows.write(_csv(sent.folder(), one.table or ""))
            else:
                connection.execute(cast("LiteralString", one.sql))
        for table in LOADED:
            cursor = connection.execute(
                SQL("SELECT * FROM acme.{}").format(Identifier(f"{table}_newest"))
            )
            expected = feed.table(table).collect()
            assert sorted(cursor.fetchall(), key=repr) == sorted(expected.rows(), key=repr)


def _csv(folder: Path, table: str) -> bytes:
    verb = [
        sys.executable,
        "-c",
        "from cio_pipeline.cli import main; main()",
        "warehouse",
        "csv",
        str(folder),
        table,
    ]
    return subprocess.run(verb, capture_output=True, check=True).stdout


def test_o6_redshifts_manifests_name_each_file_once(sent: World, tmp_path: Path) -> None:
    feed = Delivered(sent.folder())
    every = write_manifests(feed, "s3://bucket/path", tmp_path, 0)
    entries = json.loads((tmp_path / "people.manifest").read_text())["entries"]
    files = feed.files("people")
    assert [one["url"] for one in entries] == [f"s3://bucket/path/{one.key}" for one in files]
    assert [one["meta"]["content_length"] for one in entries] == [one.bytes for one in files]
    assert every["people"] == len(files)
    later = write_manifests(feed, "s3://bucket/path", tmp_path, 1)
    assert later == {"people": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["people.manifest"]


def test_o6_a_list_is_written_as_postgresql_reads_arrays_with_its_nulls() -> None:
    lists = [["x", None, 'q"\\'], [], None, [None], ["", "NULL", ",{}"]]
    frame = pl.DataFrame({"list": lists}, {"list": pl.List(pl.String())})
    assert frame.select(_array("list"))["list"].to_list() == [
        r'{"x",NULL,"q\"\\"}', "{}", None, "{NULL}", '{"","NULL",",{}"}',
    ]  # fmt: skip

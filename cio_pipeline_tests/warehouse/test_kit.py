"""O6: PostgreSQL, ClickHouse and, as far as fakesnow goes, Snowflake run it on the demo's files.

The latter two live in environments of their own (`make kit`): fakesnow does not bear our DuckDB.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, cast
from uuid import uuid4

import duckdb
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.reader import Feed
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import DIALECTS
from cio_pipeline.reader.sql.kit import Statement, script
from cio_pipeline.reader.sql.loads import Place
from cio_pipeline.reader.sql.relations import Relation, relations_of
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.postgres import Cluster, program
from cio_pipeline_tests.warehouse import elsewhere
from cio_pipeline_tests.world import NOON, World

pytestmark = [pytest.mark.deep, pytest.mark.timeout(900)]

ENGINES: dict[DialectName, Path] = {
    name: Path(__file__).parents[2] / f".servers/kit/{name}/bin/python"
    for name in ("clickhouse", "snowflake")
}
CIO = (sys.executable, "-c", "from cio_pipeline.cli import main; main()")


@dataclass(frozen=True)
class Delivered:
    """A folder with a feed, and the tables that it fills."""

    folder: Path
    relations: tuple[Relation, ...]
    feed: FeedKind = FeedKind.DATA_OUT
    version: int = 5

    def statements(self, name: DialectName) -> list[Statement]:
        at = f"file://{self.folder}" if name == "snowflake" else str(self.folder)
        place = Place(at, "acme", access="acme" if name == "snowflake" else "")
        return list(script(self.relations, place, DIALECTS[name]))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    words = ["demo", "--size", "tiny", "--windows", "1"]
    environment = {**os.environ, "CIO_HOME": str(home)}
    subprocess.run([*CIO, *words], env=environment, check=True, capture_output=True)
    return home / "bucket"


@pytest.fixture(params=["v5", "v4", "calls"])
def delivered(request: pytest.FixtureRequest, tmp_path: Path) -> Delivered:
    if request.param == "calls":
        world = World(tmp_path)
        steps.calls_sync(world, format="parquet")
        track = '{"type":"track","messageId":"m1","event":"E","properties":{"from":"\\u00e9\'"}}'
        steps.commit(world, steps.call_row("track", track), at=NOON)
        steps.run(world, 0)
        track_only = relations_of(FeedKind.CALLS, wanted=["track"])
        return Delivered(world.folder(), track_only, FeedKind.CALLS)
    bucket = request.getfixturevalue("demo")
    folder = bucket / ("acme-v5" if request.param == "v5" else "beta-v4")
    feed = Feed(folder)
    wanted = [one.name for one in feed.tables() if feed.files(one.name)]
    version = int(request.param[1])
    relations = relations_of(FeedKind.DATA_OUT, version, None, wanted)
    return Delivered(folder, relations, version=version)


def as_fakesnow_knows_it(one: Statement, folder: Path) -> Iterator[str]:
    """It has no time zone, patterns, nor metadata of files: so files are named one by one."""
    if one.sql.startswith("ALTER SESSION"):
        return
    found = re.search(r"PATTERN = '([^']+)'", one.sql)
    if found is None:
        yield one.sql
        return
    names = sorted(path.name for path in folder.iterdir() if re.fullmatch(found[1], path.name))
    assert names, one.sql
    table = one.sql.split()[2]
    for name in names:
        of_one = one.sql.replace(found[0], f"FILES = ('{name}')")
        yield re.sub(r" INCLUDE_METADATA = \(.*\)$", "", of_one)
        yield f'UPDATE {table} SET "_FILE" = \'{name}\' WHERE "_FILE" IS NULL'  # noqa: S608


def asked(name: DialectName, delivered: Delivered, steps_of: Sequence[str]) -> list[str]:
    statements = delivered.statements(name)
    ordered = [one for step in steps_of for one in statements if one.step == step]
    if name == "snowflake":
        return [sql for one in ordered for sql in as_fakesnow_knows_it(one, delivered.folder)]
    # Rows are changed in the background there.
    return ["SET mutations_sync = 2", *(one.sql for one in ordered)]


STEPS = ("schema", "access", "tables", "load", "load", "views")
"""Each file is loaded once, however often loads are run."""


def shown(name: DialectName, delivered: Delivered, schema: str = "acme") -> dict[str, str]:
    """Queries by table: its newest rows, and after the erasure all of them."""
    dialect = DIALECTS[name]
    columns = {
        one.name: ", ".join(dialect.column(c.name).sql(name) for c in one.columns)
        for one in delivered.relations
    }
    return {
        f"{table}{suffix}": f"SELECT {names} FROM {dialect.table(table + suffix, schema).sql(name)}"  # noqa: S608
        for table, names in columns.items()
        for suffix in ("", "_newest")
    }


def run(name: DialectName, delivered: Delivered, out: Path, *, erase: bool) -> None:
    python = ENGINES[name]
    if not python.exists():
        pytest.fail("These tests need ClickHouse and fakesnow: run `make kit`.", pytrace=False)
    statements = asked(name, delivered, (*STEPS, "erase") if erase else STEPS)
    told = {"run": statements, "then": shown(name, delivered)}
    out.mkdir()
    done = subprocess.run(
        [python, elsewhere.__file__, name, out],
        input=json.dumps(told),
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(out)},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def compared(found: pl.DataFrame, expected: pl.DataFrame, name: DialectName) -> None:
    """Equal rows; ClickHouse has no null lists, and reads them as empty ones."""
    found.columns = [one.lower() for one in found.columns]
    schema = expected.schema
    lists = [one for one, dtype in schema.items() if isinstance(dtype, pl.List)]
    if name == "clickhouse":
        expected = expected.with_columns(pl.col(one).fill_null([]) for one in lists)
    if name == "snowflake":
        found = found.with_columns(pl.col(one).str.json_decode(pl.List(pl.String)) for one in lists)
    found = found.select(pl.col(one).cast(dtype) for one, dtype in schema.items())
    by = pl.struct(pl.all()).map_elements(repr, pl.String)
    assert_frame_equal(*(one.sort(by) if one.height else one for one in (found, expected)))


@pytest.mark.parametrize("name", ENGINES)
def test_o6_the_newest_rows_are_those_of_the_feed_and_each_file_is_loaded_once(
    delivered: Delivered, tmp_path: Path, name: DialectName
) -> None:
    out = tmp_path / "out"
    run(name, delivered, out, erase=False)
    feed = Feed(delivered.folder)
    for one in delivered.relations:
        found = pl.read_parquet(out / f"{one.name}.parquet")
        assert found.height == feed.changes(one.name, replays=True).collect().height
        newest = pl.read_parquet(out / f"{one.name}_newest.parquet")
        compared(newest, feed.table(one.name).collect(), name)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("delivered", ["v5"], indirect=True)
def test_o6_d4_who_is_gone_is_taken_out_as_duckdb_does(
    delivered: Delivered, tmp_path: Path, name: DialectName
) -> None:
    out = tmp_path / "out"
    run(name, delivered, out, erase=True)
    for table, expected in in_duckdb(delivered).items():
        compared(pl.read_parquet(out / f"{table}.parquet"), expected, name)


def in_duckdb(delivered: Delivered) -> dict[str, pl.DataFrame]:
    """What DuckDB shows after the whole script."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for one in delivered.statements("duckdb"):
            connection.execute(one.sql)
        queries = shown("duckdb", delivered).items()
        return {
            table: pl.DataFrame(connection.sql(query).to_arrow_table()) for table, query in queries
        }


def test_o6_psql_runs_what_is_printed_and_shows_what_duckdb_does(
    delivered: Delivered, postgres_cluster: Cluster, tmp_path: Path
) -> None:
    """PostgreSQL: psql takes the rows from `warehouse csv` itself; a second load brings no more."""
    schema = f"kit_{uuid4().hex}"
    url = postgres_cluster.new_schema()
    printed = [*CIO, "warehouse", "sql", str(delivered.folder), "--dialect", "postgres"]
    printed += [
        "--schema",
        schema,
        "--feed",
        str(delivered.feed),
        "--version",
        str(delivered.version),
    ]
    script_of = subprocess.run(printed, capture_output=True, text=True, check=True).stdout
    (tmp_path / "script.sql").write_text(script_of)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for _ in range(2):
        subprocess.run(
            [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "script.sql"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            check=True,
        )
    with psycopg.connect(url) as connection:
        for (table, expected), query in zip(
            in_duckdb(delivered).items(), shown("postgres", delivered, schema).values(), strict=True
        ):
            rows = connection.execute(cast("LiteralString", query)).fetchall()
            names = expected.columns
            found = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
            compared(found, expected, "postgres")
            assert found.height or not expected.height, table

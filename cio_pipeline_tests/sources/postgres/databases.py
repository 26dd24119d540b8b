"""Databases of their own with source tables in them, installed, for the tests of the source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import polars as pl
import psycopg
from psycopg.sql import SQL, Identifier

from cio_pipeline.contracts.declare import ColumnType, SourceTable
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.sources.postgres.catalog import database, relations
from cio_pipeline.sources.postgres.connect import Server
from cio_pipeline.sources.postgres.install import installing
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.source import PostgresSource
from cio_pipeline.sources.postgres.upkeep import found, rights
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.things import NOTES, THINGS, minute

SQL_TYPES = {
    ColumnType.INTEGER: "bigint",
    ColumnType.STRING: "text",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.TIMESTAMP: "timestamptz",
    ColumnType.STRINGS: "text[]",
}


COLUMNS = "workspace_id bigint, key text, value text, tags text[], at timestamptz, flag bool"
"""Of things, in SQL."""


def new_database(cluster: Cluster) -> str:
    """The URL of a fresh database."""
    name = f"source_{next(cluster.names)}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return cluster.url(name)


def drop(cluster: Cluster, url: str) -> None:
    """Remove a database."""
    name = url.split("@/")[1].split("?", maxsplit=1)[0]
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@dataclass
class Made:
    """A database with source tables."""

    url: str
    tables: Mapping[str, SourceTable]
    names: Names = field(default_factory=Names)
    row_a_block: bool = False
    """Whether each row fills a block, which the server knows after each commit: for slices."""

    @cached_property
    def source(self) -> PostgresSource:
        return PostgresSource(Server(self.url), self.names, self.tables)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def do(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def create(self, *tables: SourceTable) -> None:
        for table in tables or self.tables.values():
            columns = ", ".join(f'"{c.name}" {SQL_TYPES[c.type]}' for c in table.columns)
            key = ", ".join(f'"{name}"' for name in table.identity)
            self.do(f"CREATE TABLE public.{table.name} ({columns}, UNIQUE ({key}))")
            if self.row_a_block:
                room = f"ALTER TABLE {table.name} ADD room text DEFAULT repeat('x', 5000)"
                self.do(room, f"ALTER TABLE {table.name} ALTER room SET STORAGE PLAIN")

    def install(self) -> None:
        """Do what is missing, as `source install --apply` does."""
        with self.connect() as connection:
            where = database(connection)
            found = relations(connection, self.names, list(self.tables.values()), where)
            for step in installing(where, list(found.values())):
                if step.alone:
                    for statement in step.statements:
                        connection.execute(statement)
                    continue
                with connection.transaction():
                    for statement in step.statements:
                        connection.execute(statement)

    def cut(self, after: Cut | None = None, at: float = 1) -> Cut:
        """All tables as they are now."""
        now = datetime.now(UTC)
        looks = {
            name: self.source.look(table, minute(at), after, now)
            for name, table in self.tables.items()
        }
        return Cut(
            minute(at),
            {name: one.reached for name, one in looks.items() if one.reached is not None},
        )

    def things(self) -> TableCut:
        return self.cut().tables["things"]

    def put(
        self, table: SourceTable, rows: pl.DataFrame, *before: str, at: datetime | None = None
    ) -> int:
        """Insert rows, or update those of their identity, in one transaction; how many.

        `before` are statements to begin with; `at` is when it says that earlier rows ended.
        """
        with self.connect() as connection, connection.transaction():
            for statement in before:
                connection.execute(statement.encode())
            self.write(connection, table, rows)
            if at is not None:
                self.date_earlier(connection, table.name, at)
        if self.row_a_block:
            self.do(f"ANALYZE {table.name}")
        return rows.height

    def write(
        self, connection: psycopg.Connection[Any], table: SourceTable, rows: pl.DataFrame
    ) -> None:
        """Insert rows, or update those of their identity."""
        names = ", ".join(f'"{name}"' for name in rows.columns)
        values = ", ".join(["%s"] * rows.width)
        key = ", ".join(f'"{name}"' for name in table.identity)
        sets = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in rows.columns)
        query = (
            f"INSERT INTO {table.name} ({names}) VALUES ({values}) "  # noqa: S608 - our own names
            f"ON CONFLICT ({key}) DO UPDATE SET {sets}"
        )
        connection.cursor().executemany(query.encode(), rows.rows())

    def date_earlier(self, connection: psycopg.Connection[Any], table: str, at: datetime) -> None:
        """Let earlier rows that this transaction ended have ended at a time."""
        connection.execute(
            f"UPDATE cio.earlier_{table} SET until_at = %s "  # noqa: S608 - our own names
            "WHERE until_xid = pg_current_xact_id()".encode(),
            [at],
        )


def made(cluster: Cluster, *tables: SourceTable, row_a_block: bool = False) -> Made:
    """A database with some empty tables, installed."""
    chosen = {table.name: table for table in tables or (THINGS, NOTES)}
    found = Made(new_database(cluster), chosen, row_a_block=row_a_block)
    found.create()
    found.install()
    return found


def reader_of(base: Made) -> Made:
    """The same database, as a role with the printed rights."""
    _, there = found(base.source.server, base.names, list(base.tables.values()))
    name = f"reader_{id(base)}"
    base.do(*(one.as_string() for one in rights(base.source.server.database, name, there)))
    base.do(f"ALTER ROLE {name} PASSWORD 'x'")
    return Made(base.url.replace("cio:s3cret-pg@", f"{name}:x@"), base.tables, base.names)

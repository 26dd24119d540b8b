"""Many rows in few statements, on both databases.

A statement's variables are limited (32,766 on SQLite, 65,535 on PostgreSQL), so rows go in
chunks. They are written in the order of their keys, so that two writers cannot lock each other out.
Statements are made once: SQLAlchemy takes longer to make one than SQLite to answer it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from cio_pipeline.model.registry import Pair

CHUNK = 1000

_T = TypeVar("_T")
Record = Mapping[str, Any]


def chunks(items: Iterable[_T], size: int = CHUNK) -> Iterator[list[_T]]:
    """The items in lists of at most `size`, none empty."""
    everything = list(items)
    for start in range(0, len(everything), size):
        yield everything[start : start + size]


def name_pairs(pairs: Iterable[Pair], most: int = 3) -> str:
    """Pairs as text for a message: the first few, and how many more."""
    ordered = sorted(set(pairs))
    named = ", ".join(f"'{export}' of sync '{sync_id}'" for sync_id, export in ordered[:most])
    return named if len(ordered) <= most else f"{named} and {len(ordered) - most} more"


def insert_missing(connection: Connection, table: Table, rows: Sequence[Record]) -> None:
    """Insert rows whose primary key is not there yet."""
    if rows:
        statement = _insert_missing(connection.dialect.name, table)
        connection.execute(statement, _in_key_order(table, rows))


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Record],
    *,
    only_if_grows: str | None = None,
) -> None:
    """Insert rows, or replace the columns given of those whose primary key is there.

    With `only_if_grows`, a row is replaced only if that column's value gets larger.
    """
    if rows:
        statement = _upsert(connection.dialect.name, table, tuple(rows[0]), only_if_grows)
        connection.execute(statement, _in_key_order(table, rows))


def insert_into(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The database's own INSERT, the one that knows ON CONFLICT."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@lru_cache
def _insert_missing(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    key = list(table.primary_key.columns)
    return insert_into(dialect, table).on_conflict_do_nothing(index_elements=key)


@lru_cache
def _upsert(
    dialect: str, table: Table, columns: tuple[str, ...], only_if_grows: str | None
) -> postgresql.Insert | sqlite.Insert:
    statement = insert_into(dialect, table)
    given = {name: statement.excluded[name] for name in columns if name not in table.primary_key}
    where = None
    if only_if_grows:
        where = table.c[only_if_grows] < statement.excluded[only_if_grows]
    key = list(table.primary_key.columns)
    return statement.on_conflict_do_update(index_elements=key, set_=given, where=where)


def _in_key_order(table: Table, rows: Sequence[Record]) -> list[Record]:
    names = [column.name for column in table.primary_key.columns]
    return sorted(rows, key=lambda row: [row[name] for name in names])

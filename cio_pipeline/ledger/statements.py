"""What statements are made of: types of columns, many rows at a time, lists as one parameter.

A statement's variables are limited (32,766 on SQLite, 65,535 on PostgreSQL), so rows go in
chunks. They are written in the order of their keys, so that two writers cannot lock each other out.
Statements are made once: SQLAlchemy takes longer to make one than SQLite to answer it.

Lists of values go to the database as JSON, which it reads as a table. Of tuples that are written
into a statement, SQLite compares each with every row of the table; it looks them up in an index
only if they come from a table. And the statement stays the same for lists of any length.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from cio_pipeline.model.registry import Pair

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Upsert: TypeAlias = postgresql.Insert | sqlite.Insert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """A time as the ledger's number; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("times in the ledger are aware, got a naive one")
    return (at - _EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970, the same on every database."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Takes a datetime; ValueError for a naive one."""
        return _number_of

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - the same
        """Gives the aware UTC datetime."""
        return _time_of


# Cached, since the rows of a window's plans and positions hold the same few times.
@lru_cache(maxsize=4096)
def _number_of(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


@lru_cache(maxsize=4096)
def _time_of(number: int | None) -> datetime | None:
    return None if number is None else _EPOCH + number * _MICROSECOND


class Word(TypeDecorator[Any]):
    """A value of a StrEnum as its text."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - the same
        """Takes the value, or its text."""
        # psycopg would write an enumeration's name.
        return str

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - the same
        """Gives the value."""
        return self.kind


class Given(TypeDecorator[Any]):
    """Values of any number as one parameter: see `rows_given`."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - the same
        """Takes a collection of numbers, texts, times, or of tuples of them."""
        return _as_json


def _as_json(values: Collection[Any]) -> str:
    return json.dumps(list(values), default=_number_of)


def sync_id(*, primary: bool = False) -> Column[str]:
    """Whose row it is."""
    return Column("sync_id", Text, ForeignKey("syncs.id"), primary_key=primary, nullable=False)


def number() -> Column[int]:
    """A row's own number, counted by the database."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("id", kind, primary_key=True)


def unique_while(condition: str, name: str, *columns: str) -> Index:
    """An index that allows no two equal rows of which the condition holds."""
    return _where(condition, name, *columns, unique=True)


def index_where(condition: str, name: str, *columns: str) -> Index:
    """An index of those rows only of which the condition holds."""
    return _where(condition, name, *columns, unique=False)


def _where(condition: str, name: str, *columns: str, unique: bool) -> Index:
    # Told for who reads the tables here: as the dialects' own option, each of them is imported.
    return Index(name, *columns, unique=unique, info={"where": condition})


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


def insert_into(dialect: str, table: Table) -> "Upsert":
    """The database's own INSERT, the one that knows ON CONFLICT."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    # It takes as long to import as all of Rich, and SQLite's ledgers never ask for it.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)


@lru_cache
def _insert_missing(dialect: str, table: Table) -> "Upsert":
    key = list(table.primary_key.columns)
    return insert_into(dialect, table).on_conflict_do_nothing(index_elements=key)


@lru_cache
def _upsert(
    dialect: str, table: Table, columns: tuple[str, ...], only_if_grows: str | None
) -> "Upsert":
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


def rows_given(columns: Collection[Column[Any]], parameter: str) -> ColumnElement[bool]:
    """Whether the values of some columns are a tuple of those that are given as `parameter`.

    Of one column, whether its value is one of them.
    """
    row = rows_of(bindparam(parameter, type_=Given))
    items: list[ColumnElement[Any]] = [_Item(row.c.value)]
    if len(columns) > 1:
        items = [item_of(row.c.value, place) for place in range(len(columns))]
    given = [cast(item, one.type) for item, one in zip(items, columns, strict=True)]
    return tuple_(*columns).in_(select(*given))


def rows_of(array: ColumnElement[Any]) -> TableValuedAlias:
    """The elements of a JSON array as rows of one column `value`."""
    return _Rows(array).table_valued(column("value", Text), joins_implicitly=True)


def item_of(value: ColumnElement[Any], place: int) -> ColumnElement[Any]:
    """An element of a row of such a table, by its number from 0."""
    return _Item(value, literal_column(str(place)))


def of_pairs(table: Table) -> ColumnElement[bool]:
    """Whether a row is of one of the (sync, export) pairs that are given as `pairs`."""
    return rows_given((table.c.sync_id, table.c.export), "pairs")


class _Rows(FunctionElement[Any]):
    """The elements of a JSON array as a table of one column."""

    inherit_cache = True
    name = "rows_given"


class _Item(FunctionElement[Any]):
    """An element of a JSON array by its number, from 0; without one, the value itself."""

    inherit_cache = True
    name = "item_given"


@compiles(_Rows, "sqlite")
def _sqlite_rows(element: _Rows, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"


@compiles(_Rows, "postgresql")
def _postgresql_rows(element: _Rows, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSON))"


@compiles(_Item, "sqlite")
def _sqlite_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    value, *place = (compiler.process(one, **how) for one in element.clauses)
    return f"json_extract({value}, '$[{place[0]}]')" if place else value


@compiles(_Item, "postgresql")
def _postgresql_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    value, *place = (compiler.process(one, **how) for one in element.clauses)
    return f"({value} ->> {place[0]})" if place else f"({value} #>> '{{}}')"

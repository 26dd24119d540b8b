"""What statements are made of: types of columns, and many rows at a time.

A statement's variables are limited (32,766 on SQLite, 65,535 on PostgreSQL), so rows go in
chunks. They are written in the order of their keys, so that two writers cannot lock each other out.
Statements are made once: SQLAlchemy takes longer to make one than SQLite to answer it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Insert,
    Integer,
    Row,
    Select,
    Table,
    Text,
    TypeDecorator,
    insert,
)
from sqlalchemy.dialects import sqlite

from cio_pipeline.model.times import micros, moment

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def microseconds(at: datetime) -> int:
    """A time as the ledger's number; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("times in the ledger are aware, got a naive one")
    return micros(at)


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970, the same on every database."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Takes a datetime; ValueError for a naive one."""
        return number_of

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - the same
        """Gives the aware UTC datetime."""
        return _time_of


# Cached, since the rows of a window's plans and positions hold the same few times.
@lru_cache(maxsize=4096)
def number_of(at: datetime | None) -> int | None:
    """A time as the ledger's number, if there is any."""
    return None if at is None else microseconds(at)


@lru_cache(maxsize=4096)
def _time_of(number: int | None) -> datetime | None:
    return None if number is None else moment(number)


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
        # Looked up: to call an enumeration takes several times as long.
        return {one.value: one for one in self.kind}.__getitem__


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


def places(query: Select[Any], names: Iterable[str]) -> Callable[[Row[Any]], tuple[Any, ...]]:
    """Takes columns from a query's rows by their places; to look for names takes several times."""
    keys = [one.key for one in query.selected_columns]
    return itemgetter(*map(keys.index, names))


def insert_missing(connection: Connection, table: Table, rows: Sequence[Record]) -> None:
    """Insert rows whose primary key is not there yet."""
    if rows:
        statement = _insert_missing(connection.dialect.name, table)
        _send(connection, statement, _in_key_order(table, rows))


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
        _send(connection, statement, _in_key_order(table, rows))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Record]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        _send(connection, _insert(table), rows)


def insert_into(dialect: str, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """The database's own INSERT, the one that knows ON CONFLICT."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    # It takes as long to import as all of Rich, and SQLite's ledgers never ask for it.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)


@lru_cache
def _insert(table: Table) -> Insert:
    return insert(table)


@lru_cache
def _insert_missing(dialect: str, table: Table) -> Insert:
    key = list(table.primary_key.columns)
    return insert_into(dialect, table).on_conflict_do_nothing(index_elements=key)


@lru_cache
def _upsert(
    dialect: str, table: Table, columns: tuple[str, ...], only_if_grows: str | None
) -> Insert:
    statement = insert_into(dialect, table)
    given = {name: statement.excluded[name] for name in columns if name not in table.primary_key}
    where = None
    if only_if_grows:
        where = table.c[only_if_grows] < statement.excluded[only_if_grows]
    key = list(table.primary_key.columns)
    return statement.on_conflict_do_update(index_elements=key, set_=given, where=where)


def _in_key_order(table: Table, rows: Sequence[Record]) -> list[Record]:
    names = [column.name for column in table.primary_key.columns]
    return sorted(rows, key=itemgetter(*names))


def _send(connection: Connection, statement: Insert, rows: Sequence[Record]) -> None:
    """Insert many rows, which the driver is handed by the columns' places.

    SQLAlchemy would look at each value of each row: that takes longer than to store them.
    """
    dialect = connection.dialect
    text, places = _sent(dialect, statement, tuple(rows[0]))
    columns = (map(itemgetter(name), rows) for name, _ in places)
    changed = [
        map(change, values) if change else values
        for values, (_, change) in zip(columns, places, strict=True)
    ]
    given: list[Any] = list(zip(*changed, strict=True))
    if not dialect.positional:
        names = [name for name, _ in places]
        given = [dict(zip(names, row, strict=True)) for row in given]
    connection.exec_driver_sql(text, given)


_Places: TypeAlias = Sequence[tuple[str, Callable[[Any], Any] | None]]


@lru_cache(maxsize=256)
def _sent(dialect: Dialect, statement: Insert, names: tuple[str, ...]) -> tuple[str, _Places]:
    """A statement's text, and its columns in their order there, with what changes their values."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    kinds = {name: one.type for name, one in compiled.binds.items()}
    order = compiled.positiontup or names
    return str(compiled), [
        (name, kinds[name].dialect_impl(dialect).bind_processor(dialect)) for name in order
    ]

"""The ledger's database: from a URL to transactions, tried again when others were in the way."""

import sqlite3
import time
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cio_pipeline.ledger.database_errors import busy, ledger_busy, translated
from cio_pipeline.model.errors import InvalidConfig, LedgerError

BUSY_SECONDS = 10.0
"""How long a SQLite connection waits for a lock; `?timeout=` in the URL overrides it."""

BEGIN = "cio_begin"
"""Execution option: the statement that begins a transaction on SQLite."""

_POOL: dict[str, Any] = {"pool_size": 15, "max_overflow": 0}
"""Connections are kept: as overflow they would be opened and closed for single statements."""

_EXAMPLES = (
    "Write sqlite:///path/ledger.db or postgresql://user:password@host/database, "
    "with special characters percent-encoded (an @ is %40)."
)
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(text: str) -> URL:
    """The ledger's URL, on the drivers that are installed with the product.

    Raises InvalidConfig, which never repeats the text: it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidConfig("The ledger's URL cannot be read.", _EXAMPLES) from None
    if url.drivername not in _DRIVERS:
        raise InvalidConfig(f"A ledger cannot be kept in '{url.drivername}'.", _EXAMPLES)
    if "@" in (url.host or ""):
        raise InvalidConfig("The ledger's URL has an @ in its user or password.", _EXAMPLES)
    url = url.set(drivername=_DRIVERS[url.drivername])
    if _is_sqlite(url) and url.database in {None, "", ":memory:"}:
        raise InvalidConfig("A ledger in SQLite must be a file.", _EXAMPLES)
    return url


def describe(url: URL) -> str:
    """The ledger's name in messages: a file's path, or a URL without any secret."""
    if _is_sqlite(url):
        return str(url.database)
    return url.set(query={}).render_as_string(hide_password=True)


def make_engine(url: URL) -> Engine:
    """An engine for a parsed URL; a SQLite file's folder is created."""
    return _sqlite_engine(url) if _is_sqlite(url) else _postgres_engine(url)


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _postgres_engine(url: URL) -> Engine:
    # Values of statements stay out of exceptions; a connection is tested before it is reused.
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, **_POOL)


def _sqlite_engine(url: URL) -> Engine:
    # Absolute, since connections are made later, when the working directory may be another.
    file = Path(str(url.database)).absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The folder of the ledger {url.database} cannot be created ({error.strerror}).",
            "Check that its parent is a folder that may be written.",
        ) from error
    timeout: dict[str, Any] = {} if "timeout" in url.query else {"timeout": BUSY_SECONDS}
    there = url.set(database=str(file))
    engine = create_engine(there, hide_parameters=True, connect_args=timeout, **_POOL)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # sqlite3's own BEGIN comes too late (not before a SELECT); _begin_sqlite does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))


TRIES = 4
_PAUSE_SECONDS = 0.05

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Part = TypeVar("_Part", bound="_OfLedger")


class Database:
    """The ledger's database. `name` is what messages call it, without secrets.

    Its methods run `work` in one transaction, from the start again if it was locked out, lost
    a deadlock or could not be serialised: `work` must have no other effects. They raise
    LedgerBusy, LedgerError (RowConflict if a constraint is broken) or DiskFull.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.reader = engine
        if not self.is_sqlite:
            self.reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        # On SQLite it has the only write lock from the start: a lock asked for later, after a
        # read, could not be waited for.
        self.writer = engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """The result of reading everything at one moment."""
        return self.run(self.reader, work)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """The result of a transaction that is committed if `work` returns."""
        return self.run(self.writer, work)

    def run(self, engine: Engine, work: Callable[[Connection], _T]) -> _T:
        """The same in the `reader` or the `writer`."""
        for attempt in range(TRIES):
            try:
                with engine.begin() as connection:
                    return work(connection)
            except PoolTimeout as error:
                raise ledger_busy(self.name) from error
            except DBAPIError as error:
                if not busy(error):
                    raise translated(error, self.name) from error
            time.sleep(_PAUSE_SECONDS * 2**attempt)
        raise ledger_busy(self.name)


class _OfLedger(Protocol):
    """A part of the ledger."""

    @property
    def database(self) -> Database:
        """Where it is kept."""
        ...


def reading(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part, run as `Database.read` runs its work: callers give no connection."""
    return _in_transaction(verb, attrgetter("reader"))


def writing(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part, run as `Database.write` runs its work: callers give no connection."""
    return _in_transaction(verb, attrgetter("writer"))


def _in_transaction(
    verb: Callable[Concatenate[_Part, Connection, _P], _T], engine: Callable[[Database], Engine]
) -> Callable[Concatenate[_Part, _P], _T]:
    @wraps(verb)
    def run(part: _Part, *given: _P.args, **named: _P.kwargs) -> _T:
        of = part.database
        return of.run(engine(of), lambda connection: verb(part, connection, *given, **named))

    return run

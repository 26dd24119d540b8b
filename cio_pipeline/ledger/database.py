"""The ledger's database: from a URL to transactions, and what its errors mean.

A transaction is tried again when others were in the way: busy. What is broken needs somebody.
"""

import re
import sqlite3
import time
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cio_pipeline.model.errors import CioError, DiskFull, InvalidConfig, LedgerBusy, LedgerError

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SQLITE_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}

SQLITE_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
"""SQLite says FULL of a full disk only: a quota or a limit of file size is an error in writing."""

_POSTGRES_BUSY = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, lock not available."""

_POSTGRES_AWAY = ("08", "53", "57P")
"""Connection lost, out of resources, shutting down."""

_LOGIN_REFUSED = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|no password supplied"
)
"""libpq gives no SQLSTATE for a connection that was never made, only the server's words."""


def busy(error: DBAPIError) -> bool:
    """Whether others were in the way, so that the same transaction may succeed at once."""
    return _sqlite_code(error) in _SQLITE_BUSY or _sqlstate(error) in _POSTGRES_BUSY


def translated(error: DBAPIError, name: str) -> CioError:
    """The product's error for a database's; `name` is the ledger's, without secrets."""
    if isinstance(error, IntegrityError):
        return LedgerError(
            f"The ledger {name} holds rows that contradict these ({type(error.orig).__name__}).",
            "Run it again; report a bug if that does not help.",
        )
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error, name)
    return _of_postgres(error, name)


def ledger_busy(name: str) -> LedgerBusy:
    """Others kept the ledger locked for all of the tries."""
    return LedgerBusy(
        f"The ledger {name} stayed locked by other runs.", "It is tried again by the next run."
    )


def _of_sqlite(error: DBAPIError, name: str) -> CioError:
    code = _sqlite_code(error)
    if code in _SQLITE_BUSY:
        return ledger_busy(name)
    if code in _SQLITE_BROKEN:
        return LedgerError(
            f"The ledger {name} is damaged or is no SQLite database.",
            "Restore a backup of the file, or move it away and rebuild the ledger from the "
            "buckets' manifests.",
        )
    if getattr(error.orig, "sqlite_errorcode", None) in SQLITE_FULL:
        return DiskFull(
            f"No space is left for the ledger {name}.",
            "Make space on its disk or in its quota; if there is plenty, check the disk.",
        )
    if code in _SQLITE_UNUSABLE:
        return LedgerError(
            f"The ledger {name} cannot be opened or written.",
            "Check that it is a file, and the rights of the file and its folder.",
        )
    return _refused(error, name)


def _of_postgres(error: DBAPIError, name: str) -> CioError:
    state = _sqlstate(error)
    if state in _POSTGRES_BUSY:
        return ledger_busy(name)
    if state == "53100":
        return DiskFull(f"No space is left for the ledger {name}.", "Make space on its server.")
    never_made = not state and isinstance(error, OperationalError)
    login_refused = never_made and _LOGIN_REFUSED.search(str(error.orig))
    if login_refused or state.startswith(("28", "3D", "42501")):
        return LedgerError(
            f"The ledger {name} refuses the login, or the user's rights do not suffice.",
            "Check the user, password and database in its URL, and the user's rights.",
        )
    if never_made or error.connection_invalidated or state.startswith(_POSTGRES_AWAY):
        return LedgerBusy(
            f"The ledger {name} did not answer.", "Check that its server runs and can be reached."
        )
    return _refused(error, name)


def _refused(error: DBAPIError, name: str) -> LedgerError:
    kind = type(error.orig).__name__
    return LedgerError(
        f"The ledger {name} refused a statement ({kind}).",
        "Check that this version of cio-pipeline made it, then report a bug.",
    )


def _sqlite_code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _sqlstate(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else ""


BUSY_SECONDS = 10.0
"""How long a SQLite connection waits for a lock; `?timeout=` in the URL overrides it."""

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
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # sqlite3's own BEGIN comes too late (not before a SELECT); `_in_transaction` does it instead.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


TRIES = 4
_PAUSE_SECONDS = 0.05

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Part = TypeVar("_Part", bound="_OfLedger")


class _OfLedger(Protocol):
    """A part of the ledger."""

    @property
    def database(self) -> "Database":
        """Where it is kept."""
        ...


def reading(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part that reads everything at one moment; callers give no connection."""
    return _in_transaction(verb, attrgetter("reader"), "BEGIN")


def writing(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
) -> Callable[Concatenate[_Part, _P], _T]:
    """A verb of a part whose transaction is committed if it returns; callers give no connection."""
    # On SQLite it has the only write lock from the start: a lock asked for later, after a
    # read, could not be waited for.
    return _in_transaction(verb, attrgetter("engine"), "BEGIN IMMEDIATE")


def _in_transaction(
    verb: Callable[Concatenate[_Part, Connection, _P], _T],
    engine: Callable[["Database"], Engine],
    begin: str,
) -> Callable[Concatenate[_Part, _P], _T]:
    """The verb in one transaction, from its start again if it could not be had at once.

    So it is if it was locked out, lost a deadlock or could not be serialised: a verb has no other
    effects. Raises LedgerBusy, LedgerError or DiskFull.
    """

    @wraps(verb)
    def run(part: _Part, *given: _P.args, **named: _P.kwargs) -> _T:
        database = part.database
        for attempt in range(TRIES):
            try:
                with engine(database).begin() as connection:
                    if database.is_sqlite:
                        connection.exec_driver_sql(begin)
                    return verb(part, connection, *given, **named)
            except PoolTimeout as error:
                raise ledger_busy(database.name) from error
            except DBAPIError as error:
                if not busy(error):
                    raise translated(error, database.name) from error
            time.sleep(_PAUSE_SECONDS * 2**attempt)
        raise ledger_busy(database.name)

    return run


class Database:
    """The ledger's database. `name` is what messages call it, without secrets."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.database = self
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.reader = engine
        if not self.is_sqlite:
            self.reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @reading
    def read(self, connection: Connection, work: Callable[[Connection], _T]) -> _T:
        """The result of reading everything at one moment."""
        return work(connection)

    @writing
    def write(self, connection: Connection, work: Callable[[Connection], _T]) -> _T:
        """The result of a transaction that is committed if `work` returns."""
        return work(connection)

"""From a URL to an engine: which databases are taken, and how their connections are set up."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

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

"""What errors of PostgreSQL and its drivers mean to us.

Their texts may hold values of rows, so they decide the type of our error and are never repeated.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from adbc_driver_manager import Error as AdbcError

from cio_pipeline.model.errors import (
    CioError,
    ColumnMismatch,
    SourceError,
    SourceGone,
    SourceUnavailable,
)

_STATES = (
    # (states that begin so, what is found in the text where there is no state, the error)
    (("57014",), "statement timeout", "timeout"),
    (("42501",), "permission denied", "permission"),
    (("28",), 'authentication failed|role ".*" does not exist|no pg_hba.conf entry', "login"),
    (("3D",), 'database ".*" does not exist|no such database', "database"),
    (("42703",), "", "column"),
    (("42P01", "3F000"), "", "table"),
    (("55P03",), "lock timeout", "locked"),
    (("53",), "too many clients|query_wait_timeout", "full"),
    ((), "certificate|does not support ssl", "tls"),
)
_LOST = ("08", "25P0", "57P", "40", "58")


@contextmanager
def named(table: str) -> Generator[None]:
    """Turns what the drivers raise into the product's errors, which name the table."""
    try:
        yield
    except CioError:
        raise
    except (psycopg.Error, AdbcError, OSError) as error:
        raise translated(error, table) from None


def translated(error: Exception, table: str) -> CioError:
    """The product's error for one of a driver."""
    state: str = getattr(error, "sqlstate", None) or ""
    text = str(error).lower()
    for states, words, kind in _STATES:
        if state.startswith(states) if state else words and re.search(words, text):
            return _ERRORS[kind](table)
    stateless = isinstance(error, OSError | psycopg.OperationalError | AdbcError)
    if state.startswith(_LOST) or (not state and stateless):
        return _lost(table)
    return SourceError(
        f"Reading table {table} failed (SQLSTATE {state or 'unknown'}).",
        "The server's log has the statement and the reason.",
    )


def _lost(table: str) -> CioError:
    return SourceUnavailable(
        f"The connection to the database failed or was lost while table {table} was read.",
        "Check that the server runs and can be reached; what was begun goes on where it stopped.",
    )


def _timeout(table: str) -> CioError:
    return SourceError(
        f"The database ended a query of table {table}: it took longer than statement_timeout.",
        "Raise it for our role: `ALTER ROLE … SET statement_timeout = '1h'`.",
    )


def _permission(table: str) -> CioError:
    return SourceError(
        f"Our role may not read table {table}, or what belongs to it in schema cio.",
        "`cio-pipeline source role NAME` prints the rights that it needs; with row level security "
        "it needs BYPASSRLS, too.",
    )


def _login(_: str) -> CioError:
    return SourceError(
        "The database refuses the login.",
        "Check user, password and sslmode in CIO_SOURCE and CIO_SOURCE_PASSWORD, and pg_hba.conf.",
    )


def _tls(_: str) -> CioError:
    return SourceError(
        "The database is not the one that CIO_SOURCE wants to speak with, by its certificate, or "
        "does not speak TLS.",
        "Check sslmode, sslrootcert and the host in CIO_SOURCE, and the server's certificate.",
    )


def _database(_: str) -> CioError:
    return SourceGone("The database does not exist.", "Correct CIO_SOURCE.")


def _column(table: str) -> CioError:
    return ColumnMismatch(
        f"Table {table} lacks a column that is read.",
        "`cio-pipeline source status` names it; columns are mapped in CIO_SOURCE_NAMES.",
    )


def _table(table: str) -> CioError:
    return SourceGone(
        f"Table {table}, or what belongs to it in schema cio, is gone.",
        "`cio-pipeline source status` tells what is missing.",
    )


def _full(table: str) -> CioError:
    return SourceUnavailable(
        f"The database is out of connections, memory or disk while table {table} is read.",
        "It is tried again; give our role its own connections, or the server more room.",
    )


def locked(table: str) -> SourceError:
    """The error of who looks at all tables, and goes on with the others."""
    return SourceError(_LOCKED.format(table), _WHO_LOCKS)


def _locked(table: str) -> CioError:
    return SourceUnavailable(_LOCKED.format(table), _WHO_LOCKS)


_LOCKED = "Table {} is locked: an ALTER, a VACUUM FULL, or a transaction that was left open has it."
_WHO_LOCKS = "It is tried again; pg_locks and pg_stat_activity tell who has it."
_ERRORS = {
    "locked": _locked,
    "timeout": _timeout,
    "permission": _permission,
    "login": _login,
    "database": _database,
    "column": _column,
    "table": _table,
    "full": _full,
    "tls": _tls,
}

"""What a database's error means: busy (try again), or broken (somebody must act)."""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from cio_pipeline.model.errors import CioError, DiskFull, LedgerBusy, LedgerError

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SQLITE_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}

_SQLITE_FULL = {
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


class RowConflict(LedgerError):
    """Rows break a constraint of the tables: most often another run was first."""


def busy(error: DBAPIError) -> bool:
    """Whether others were in the way, so that the same transaction may succeed at once."""
    return _sqlite_code(error) in _SQLITE_BUSY or _sqlstate(error) in _POSTGRES_BUSY


def translated(error: DBAPIError, name: str) -> CioError:
    """The product's error for a database's; `name` is the ledger's, without secrets."""
    if isinstance(error, IntegrityError):
        return RowConflict(
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
    if getattr(error.orig, "sqlite_errorcode", None) in _SQLITE_FULL:
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

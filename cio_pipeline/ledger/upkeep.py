"""Looking after the database itself: is it whole, and a copy of it while it is in use."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, func, select

from cio_pipeline.ledger.database import Database
from cio_pipeline.ledger.schema import metadata
from cio_pipeline.model.errors import DiskFull, InvalidConfig, LedgerError

_MOST_NAMED = 10


def check(database: Database) -> list[str]:
    """What is wrong with the database, nothing if it is whole; every row is read.

    Raises LedgerError if it is too damaged to be read.
    """
    problems = database.read(_problems) if database.is_sqlite else []
    return problems or [problem for problem in [database.read(_unreadable)] if problem]


def _problems(connection: Connection) -> list[str]:
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    problems = [text for text in found if text != "ok"]
    problems += [
        f"A row of {row[0]} refers to a row of {row[2]} that is not there." for row in broken
    ]
    return problems[:_MOST_NAMED]


def _unreadable(connection: Connection) -> str:
    for table in metadata.sorted_tables:
        connection.execute(select(func.count()).select_from(table))
    return ""


def backup(database: Database, file: Path) -> None:
    """Copy a SQLite ledger into a new file, whole as of one moment, while runs go on.

    Raises InvalidConfig for PostgreSQL or if the file is there already, LedgerError, DiskFull.
    """
    if not database.is_sqlite:
        raise InvalidConfig(
            "The ledger is in PostgreSQL.", "Back it up with `pg_dump`, see docs/operations.md."
        )
    part = file.parent / f"{file.name}.part"
    try:
        if file.exists():
            raise InvalidConfig(f"{file} is there already.", "Give the copy a name of its own.")
        if not part.parent.is_dir():
            part.parent.mkdir(parents=True)
        part.unlink(missing_ok=True)
        part.touch()
        _copy(str(database.engine.url.database), part)
        _make_durable(part)
        part.rename(file)
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind = DiskFull if full else LedgerError
        raise kind(
            "The ledger could not be copied.", "Look at it with `cio-pipeline ledger check`."
        ) from error
    except OSError as error:
        its = isinstance(error, FileExistsError)
        why = "its folder is a file" if its else f"{error.strerror}"
        raise InvalidConfig(
            f"{file} cannot be written: {why}.", "Name a file in a folder that may be written."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _copy(ledger: str, to: Path) -> None:
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
        # One file: the copy needs no write-ahead log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
        wrong: Sequence[str] = [row[0] for row in target.execute("PRAGMA quick_check")]
    if wrong != ["ok"]:
        raise LedgerError(
            "The ledger is damaged, and so would the copy be.",
            "Restore an earlier backup, see docs/operations.md.",
        )


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

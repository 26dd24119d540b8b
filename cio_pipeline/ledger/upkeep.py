"""Looking after the database: is it whole, a copy of it while it is in use, and pruning.

Pruned is what nothing asks for any more, some rows at a time. Kept for good is what a verb may
still ask for, however old it is: plans with files and their files (restore, verify, purge, whether
a key is taken, what a message replaced) and the cuts that these refer to, first plans (who stays
anonymous by them), void numbers, the history of syncs.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    Connection,
    Delete,
    Update,
    delete,
    exists,
    func,
    select,
    tuple_,
    union,
    update,
)

from cio_pipeline.ledger.alerts import alert_incidents, alert_told
from cio_pipeline.ledger.database import SQLITE_FULL, Database
from cio_pipeline.ledger.looks import prune_differences
from cio_pipeline.ledger.schema import (
    IS_INITIAL,
    IS_UNFINISHED,
    attempts,
    cuts,
    files,
    gone_people,
    manifests,
    metadata,
    plans,
    positions,
    quarantine,
)
from cio_pipeline.ledger.sent import prune_volumes
from cio_pipeline.ledger.statements import chunks
from cio_pipeline.model.errors import DiskFull, InvalidConfig, LedgerError
from cio_pipeline.model.times import EARLIEST

_MOST_NAMED = 10


def check(database: Database) -> list[str]:
    """What is wrong with the database, nothing if it is whole; every row is read.

    Raises LedgerError if it is too damaged to be read.
    """
    problems = database.read(_problems) if database.is_sqlite else []
    if not problems:
        database.read(_read_all)
    return problems


def _problems(connection: Connection) -> list[str]:
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    problems = [text for text in found if text != "ok"]
    problems += [
        f"A row of {row[0]} refers to a row of {row[2]} that is not there." for row in broken
    ]
    return problems[:_MOST_NAMED]


def _read_all(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        connection.execute(select(func.count()).select_from(table))


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""A disk, a quota or a limit of file size is used up."""


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
        if getattr(error, "sqlite_errorcode", None) in SQLITE_FULL:
            raise _no_room(file) from error
        raise LedgerError(
            "The ledger could not be copied.", "Look at it with `cio-pipeline ledger check`."
        ) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _no_room(file) from error
        its = isinstance(error, FileExistsError)
        why = "its folder is a file" if its else f"{error.strerror}"
        raise InvalidConfig(
            f"{file} cannot be written: {why}.", "Name a file in a folder that may be written."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _no_room(file: Path) -> DiskFull:
    """A copy that breaks off for want of room says nothing against the ledger."""
    return DiskFull(
        f"No space is left for the copy {file}.",
        "Make room on its disk or in its quota, or name a file on another disk.",
    )


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


AT_A_TIME = 5_000
"""Rows per transaction: runs wait for each no longer than for one another."""


@dataclass(frozen=True)
class Pruned:
    """How many rows left the ledger; of `bodies` only the bytes did."""

    attempts: int
    quarantine: int
    plans: int
    cuts: int
    gone_people: int
    bodies: int
    incidents: int = 0
    volumes: int = 0
    differences: int = 0


def prune(
    database: Database,
    before: datetime,
    unsettled: Collection[str],
    volumes_before: datetime | None = None,
) -> Pruned:
    """Remove what ended before a time and nothing needs, and bodies that lie in their buckets.

    `unsettled` are the keys of windows whose attempts go on to be counted. Volumes have a time of
    their own (None: they stay): checks need them for so long, and nothing does for longer.
    """
    return Pruned(
        attempts=_by_portions(database, lambda c: _attempts(c, before, unsettled)),
        quarantine=_by_portions(database, lambda c: c.execute(_closed(before)).rowcount),
        plans=_by_portions(database, lambda c: c.execute(_empty_plans(before)).rowcount),
        cuts=_by_portions(database, lambda c: c.execute(_unused_cuts(before)).rowcount),
        gone_people=_by_portions(database, lambda c: c.execute(_unasked_people()).rowcount),
        bodies=_by_portions(database, lambda c: c.execute(_bodies_there(before)).rowcount),
        incidents=_by_portions(database, lambda c: _closed_incidents(c, before)),
        volumes=_by_portions(database, lambda c: prune_volumes(c, volumes_before or EARLIEST)),
        differences=_by_portions(database, lambda c: prune_differences(c, before)),
    )


def _by_portions(database: Database, work: Callable[[Connection], int]) -> int:
    total = 0
    while done := database.write(work):
        total += done
    return total


def _attempts(connection: Connection, before: datetime, unsettled: Collection[str]) -> int:
    """Those of ticks: the other lanes count by sync. A window that is not settled may be asked for.

    It must not look as if it had never been tried.
    """
    c = attempts.c
    old = connection.scalars(select(c.key).where(c.lane == "tick", c.last_at < before))
    keys = sorted(set(old) - set(unsettled))[:AT_A_TIME]
    for key in keys:
        connection.execute(delete(attempts).where(c.lane == "tick", c.key == key))
    return len(keys)


def _closed(before: datetime) -> Delete:
    c = quarantine.c
    old = select(c.id).where(c.state != "open", c.window_end < before).limit(AT_A_TIME)
    return delete(quarantine).where(c.id.in_(old))


def _closed_incidents(connection: Connection, before: datetime) -> int:
    c = alert_incidents.c
    old = connection.scalars(select(c.id).where(c.closed_at < before).limit(AT_A_TIME)).all()
    for some in chunks(old):
        connection.execute(delete(alert_told).where(alert_told.c.incident_id.in_(some)))
        connection.execute(delete(alert_incidents).where(c.id.in_(some)))
    return len(old)


def _empty_plans(before: datetime) -> Delete:
    """Finished plans without a file, that nothing was held back by."""
    c = plans.c
    old = (
        select(c.id)
        .where(c.closed_at < before, ~IS_UNFINISHED, ~IS_INITIAL)
        .where(~exists().where(files.c.plan_id == c.id))
        .where(~exists().where(quarantine.c.plan_id == c.id))
        .limit(AT_A_TIME)
    )
    return delete(plans).where(c.id.in_(old))


def _unused_cuts(before: datetime) -> Delete:
    used = union(
        select(positions.c.at),
        select(plans.c.upper_at),
        select(plans.c.lower_at).where(plans.c.lower_at.is_not(None)),
        select(plans.c.until_at).where(plans.c.until_at.is_not(None)),
        # What a window's cut is held against, when it is decided.
        select(func.max(cuts.c.at)),
    )
    old = select(cuts.c.at).where(cuts.c.at < before, cuts.c.at.not_in(used)).limit(AT_A_TIME)
    return delete(cuts).where(cuts.c.at.in_(old))


def _unasked_people() -> Delete:
    """Of cuts that no plan was made from or stays anonymous by (D4)."""
    c = gone_people.c
    asked = union(
        select(plans.c.workspace_id, plans.c.begun_at).where(plans.c.begun_at.is_not(None)),
        select(plans.c.workspace_id, plans.c.upper_at).where(IS_INITIAL),
    )
    return delete(gone_people).where(tuple_(c.workspace_id, c.at).not_in(asked))


def _bodies_there(before: datetime) -> Update:
    c = manifests.c
    there = (
        select(c.sync_id, c.ordinal).where(c.bytes.is_(None), c.put_at < before).limit(AT_A_TIME)
    )
    return (
        update(manifests)
        .where(tuple_(c.sync_id, c.ordinal).in_(there))
        .values(bytes=func.length(c.body), body=b"")
    )

"""The whole ledger, opened from a URL and brought to the newest version.

And what tells it from an emptied or an older one. `versions.sql` says what each version changes.
"""

import json
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, delete, func, insert, inspect, select, text

from cio_pipeline.ledger.alerts import Alerts
from cio_pipeline.ledger.chain import list_next, to_list
from cio_pipeline.ledger.cuts import Cuts, Gone
from cio_pipeline.ledger.database import Database, describe, make_engine, parse_url
from cio_pipeline.ledger.leases import Leases
from cio_pipeline.ledger.looks import Looks
from cio_pipeline.ledger.manifests import Manifests
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.ledger.quarantine import Quarantine
from cio_pipeline.ledger.recovery import Recovery
from cio_pipeline.ledger.registry import Contracts, Registry, first_window
from cio_pipeline.ledger.rewrites import Rewrites
from cio_pipeline.ledger.schema import counters, files, plans, schema_version
from cio_pipeline.ledger.sent import Sent, VolumesKept
from cio_pipeline.ledger.statements import insert_missing
from cio_pipeline.ledger.troubles import Attempts, Breakers, FailingPairs, SourceBreaches
from cio_pipeline.model.errors import LedgerError, UnknownSync
from cio_pipeline.model.sync import Sync

IDENTITY, COMMITS = "identity", "commit"
"""Names of the ledger's counters: the number that it was given at its start, and its commits."""

_LARGEST = 2**62


@dataclass(frozen=True)
class LedgerMark:
    """A ledger's number, drawn at random when it was made, and how often it was committed to."""

    identity: int
    commits: int


def mark_of(database: Database) -> LedgerMark:
    """The mark of a ledger; one that has no number yet is given one."""
    found = database.read(_counted)
    if IDENTITY not in found:
        drawn = {"name": IDENTITY, "value": secrets.randbelow(_LARGEST)}
        database.write(lambda connection: insert_missing(connection, counters, [drawn]))
        found = database.read(_counted)
    return LedgerMark(found[IDENTITY], found[COMMITS])


def _counted(connection: Connection) -> dict[str, int]:
    query = select(counters.c.name, counters.c.value)
    return {row.name: row.value for row in connection.execute(query)}


@dataclass(frozen=True)
class Witness:
    """A file beside the ledger that remembers the last mark seen of it.

    So a ledger that was emptied, exchanged or set back is not taken for the one before. The file is
    no state: without it, the next look at the ledger makes it again.
    """

    file: Path

    def seen(self) -> LedgerMark | None:
        """The mark that was last seen; None if there is no file that can be read."""
        try:
            return LedgerMark(**json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, mark: LedgerMark) -> None:
        """Keep a mark as the last one seen."""
        if mark == self.seen():
            return
        part = self.file.with_name(f"{self.file.name}.{secrets.token_hex(4)}")
        # It is no state: where it cannot be written, an older mark is compared with.
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(mark)), encoding="utf-8")
            part.replace(self.file)
        with suppress(OSError):
            part.unlink(missing_ok=True)


def require_same(last: LedgerMark, now: LedgerMark, *, older: bool = False) -> None:
    """Raise LedgerError unless a ledger is the one last seen, and no earlier state of it.

    `older` takes an earlier state, too: what leads to catching up must be able to read it.
    """
    if last.identity != now.identity:
        raise LedgerError(
            "This is not the ledger that was used here before: it is new, or another one. What "
            "syncs were sent is not known to it.",
            "Put the old one back (correct CIO_LEDGER, or restore ledger.db together with its "
            "-wal file), or a backup and then `cio-pipeline ledger catch-up`; without any, "
            "`cio-pipeline ledger rebuild --syncs FILE`. To begin anew on purpose, remove "
            "ledger.seen from CIO_HOME.",
        )
    if now.commits < last.commits and not older:
        raise LedgerError(
            f"The ledger was set back: it has {now.commits} commits and had {last.commits}. It "
            "does not know what was sent since.",
            "Stop all runs, then bring it up to the buckets: `cio-pipeline ledger catch-up`.",
        )


_ADVISORY_LOCK = 0x63696F
"""Any number that all versions agree on: it lets one process migrate at a time."""

_SQLITE_WORDS = {
    "serial": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
    "bytes": "BLOB",
    "by_key": "WITHOUT ROWID",
}
_POSTGRES_WORDS = {
    "serial": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    "bytes": "BYTEA",
    "by_key": "",
}

Versions: TypeAlias = Sequence[Sequence[str]]


def _read() -> Versions:
    told = re.split(r"^-- version \d+\n", _FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    plain = (re.sub(r"^--.*\n", "", one, flags=re.MULTILINE) for one in told)
    return tuple(tuple(filter(None, re.split(r";\s+", one))) for one in plain)


_FILE = Path(__file__).with_name("versions.sql")
VERSIONS = _read()
"""Statements of version 1, 2, … in order."""


def migrate(database: Database, versions: Versions = VERSIONS) -> None:
    """Apply the versions that the database lacks, in order.

    Raises LedgerError if the database is newer than `versions`.
    """
    current = database.read(_version)
    while current < len(versions):
        current = database.write(lambda connection: _apply_next(connection, versions))
    if current > len(versions):
        raise LedgerError(
            f"The ledger {database.name} has version {current}, "
            f"this cio-pipeline knows {len(versions)}.",
            "Upgrade cio-pipeline.",
        )


def _version(connection: Connection) -> int:
    """The database's version; 0 if it has no ledger yet."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.scalar(select(func.max(schema_version.c.version))) or 0


def _apply_next(connection: Connection, versions: Versions) -> int:
    """Apply the one version that follows the current one, and return its number.

    Another process may have applied it since the caller looked.
    """
    words = _SQLITE_WORDS
    if connection.dialect.name != "sqlite":
        words = _POSTGRES_WORDS
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    current = _version(connection)
    if current >= len(versions):
        return current
    if current == 0:
        schema_version.create(connection, checkfirst=True)
    for statement in versions[current]:
        connection.execute(text(statement.format(**words)))
    connection.execute(insert(schema_version).values(version=current + 1))
    return current + 1


_LEFT = counters.c.name == "unlisted"
_MARKED = files.c.manifest_ordinal == 0


def list_what_was_left(database: Database) -> None:
    """Store manifests of what was committed before version 14 and is in none: one transaction."""
    if database.read(lambda connection: connection.scalar(select(counters).where(_LEFT))):
        database.write(_list)


def _list(connection: Connection) -> None:
    # Another process may have done it since.
    if not connection.execute(delete(counters).where(_LEFT)).rowcount:
        return
    left = select(files.c.plan_id, plans.c.sync_id).join(plans, plans.c.id == files.c.plan_id)
    rows = connection.execute(left.where(_MARKED).distinct()).all()
    ids = {row.plan_id for row in rows}
    latest = select(func.max(func.coalesce(plans.c.closed_at, plans.c.opened_at)))
    at = connection.scalar(latest.where(plans.c.id.in_(select(files.c.plan_id).where(_MARKED))))
    if at is not None:
        listed = to_list(connection, ids, marked=0)
        list_next(connection, {row.sync_id for row in rows}, listed, None, at, marked=0)


@dataclass(frozen=True)
class Ledger:
    """The state of everything, in one SQL database. Safe to share by threads."""

    database: Database = field(repr=False)
    registry: Registry
    contracts: Contracts
    cuts: Cuts
    leases: Leases
    plans: Plans
    failing: FailingPairs
    manifests: Manifests
    quarantine: Quarantine
    gone: Gone
    breaches: SourceBreaches
    attempts: Attempts
    breakers: Breakers
    recovery: Recovery
    alerts: Alerts
    volumes: VolumesKept
    looks: Looks
    rewrites: Rewrites
    sent: Sent

    def mark(self) -> LedgerMark:
        """Which ledger this is, and how far it has come."""
        return mark_of(self.database)

    def first_window(self) -> datetime | None:
        """The hour that the windows begin with; None before the first sync is registered."""
        return self.database.read(first_window)

    def close(self) -> None:
        """Give back all connections; the ledger opens new ones if it is used again."""
        self.database.engine.dispose()


def open_ledger(url: str) -> Ledger:
    """The ledger at a URL, made or migrated if need be.

    `sqlite:///file` (its folder is created) or `postgresql://…` (psycopg 3). Raises
    InvalidConfig for any other URL, LedgerError if the database is damaged, newer than this code
    or refuses the login, LedgerBusy if it does not answer. No password appears in an error.
    """
    parsed = parse_url(url)
    database = Database(make_engine(parsed), describe(parsed))
    try:
        migrate(database)
        list_what_was_left(database)
    except BaseException:
        database.engine.dispose()
        raise
    return Ledger(
        database=database,
        registry=Registry(database),
        contracts=Contracts(database),
        cuts=Cuts(database),
        leases=Leases(database),
        plans=Plans(database),
        failing=FailingPairs(database),
        manifests=Manifests(database),
        quarantine=Quarantine(database),
        gone=Gone(database),
        breaches=SourceBreaches(database),
        attempts=Attempts(database),
        breakers=Breakers(database),
        recovery=Recovery(database),
        alerts=Alerts(database),
        volumes=VolumesKept(database),
        looks=Looks(database),
        rewrites=Rewrites(database),
        sent=Sent(database),
    )


def has_begun(ledger: Ledger, sync: Sync) -> bool:
    """Whether anything was put at the destination of a sync since its chain began there."""
    with suppress(UnknownSync):
        known = ledger.registry.get(sync.id).sync
        return known.destination == sync.destination and ledger.manifests.begun(sync.id)
    return False


def is_there(url: str) -> bool:
    """Whether there may be a ledger at a URL: not where SQLite would make its file first."""
    parsed = parse_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(str(parsed.database)).exists()

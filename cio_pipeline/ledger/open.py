"""The whole ledger, opened from a URL."""

from dataclasses import dataclass, field

from cio_pipeline.ledger.attempts import SqlAttempts
from cio_pipeline.ledger.breaches import SqlBreaches
from cio_pipeline.ledger.breakers import SqlBreakers
from cio_pipeline.ledger.changing import SqlChanges
from cio_pipeline.ledger.connect import describe, make_engine, parse_url
from cio_pipeline.ledger.cuts import SqlCuts
from cio_pipeline.ledger.errors import SqlErrors
from cio_pipeline.ledger.gone import SqlGone
from cio_pipeline.ledger.history import SqlHistory
from cio_pipeline.ledger.identity import LedgerMark, mark_of
from cio_pipeline.ledger.leases import SqlLeases
from cio_pipeline.ledger.manifests import SqlManifests
from cio_pipeline.ledger.migrations import migrate
from cio_pipeline.ledger.plans import SqlPlans
from cio_pipeline.ledger.quarantine import SqlQuarantine
from cio_pipeline.ledger.rebuilding import SqlRecovery
from cio_pipeline.ledger.registry import SqlRegistry
from cio_pipeline.ledger.transactions import Database


@dataclass(frozen=True)
class SqlLedger:
    """The ledger in one SQL database; fulfils `pipeline.ports.Ledger`. Safe to share by threads."""

    database: Database = field(repr=False)
    registry: SqlRegistry
    cuts: SqlCuts
    leases: SqlLeases
    plans: SqlPlans
    errors: SqlErrors
    manifests: SqlManifests
    quarantine: SqlQuarantine
    gone: SqlGone
    breaches: SqlBreaches
    attempts: SqlAttempts
    breakers: SqlBreakers
    recovery: SqlRecovery
    changes: SqlChanges
    history: SqlHistory

    def mark(self) -> LedgerMark:
        """Which ledger this is, and how far it has come."""
        return mark_of(self.database)

    def close(self) -> None:
        """Give back all connections; the ledger opens new ones if it is used again."""
        self.database.engine.dispose()


def open_ledger(url: str) -> SqlLedger:
    """The ledger at a URL, made or migrated if need be.

    `sqlite:///file` (its folder is created) or `postgresql://…` (psycopg 3). Raises
    InvalidConfig for any other URL, LedgerError if the database is damaged, newer than this code
    or refuses the login, LedgerBusy if it does not answer. No password appears in an error.
    """
    parsed = parse_url(url)
    database = Database(make_engine(parsed), describe(parsed))
    try:
        migrate(database)
    except BaseException:
        database.engine.dispose()
        raise
    return SqlLedger(
        database=database,
        registry=SqlRegistry(database),
        cuts=SqlCuts(database),
        leases=SqlLeases(database),
        plans=SqlPlans(database),
        errors=SqlErrors(database),
        manifests=SqlManifests(database),
        quarantine=SqlQuarantine(database),
        gone=SqlGone(database),
        breaches=SqlBreaches(database),
        attempts=SqlAttempts(database),
        breakers=SqlBreakers(database),
        recovery=SqlRecovery(database),
        changes=SqlChanges(database),
        history=SqlHistory(database),
    )

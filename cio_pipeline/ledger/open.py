"""The whole ledger, opened from a URL."""

from dataclasses import dataclass, field

from cio_pipeline.ledger.connect import describe, make_engine, parse_url
from cio_pipeline.ledger.cuts import Cuts
from cio_pipeline.ledger.errors import Errors
from cio_pipeline.ledger.gone import Gone
from cio_pipeline.ledger.identity import LedgerMark, mark_of
from cio_pipeline.ledger.leases import Leases
from cio_pipeline.ledger.left_unlisted import list_what_was_left
from cio_pipeline.ledger.manifests import Manifests
from cio_pipeline.ledger.migrations import migrate
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.ledger.quarantine import Quarantine
from cio_pipeline.ledger.recovery import Recovery
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.ledger.troubles import Attempts, Breakers, SourceBreaches


@dataclass(frozen=True)
class Ledger:
    """The state of everything, in one SQL database. Safe to share by threads."""

    database: Database = field(repr=False)
    registry: Registry
    cuts: Cuts
    leases: Leases
    plans: Plans
    errors: Errors
    manifests: Manifests
    quarantine: Quarantine
    gone: Gone
    breaches: SourceBreaches
    attempts: Attempts
    breakers: Breakers
    recovery: Recovery

    def mark(self) -> LedgerMark:
        """Which ledger this is, and how far it has come."""
        return mark_of(self.database)

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
        cuts=Cuts(database),
        leases=Leases(database),
        plans=Plans(database),
        errors=Errors(database),
        manifests=Manifests(database),
        quarantine=Quarantine(database),
        gone=Gone(database),
        breaches=SourceBreaches(database),
        attempts=Attempts(database),
        breakers=Breakers(database),
        recovery=Recovery(database),
    )

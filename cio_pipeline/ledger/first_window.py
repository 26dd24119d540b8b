"""The hour that a deployment's windows begin with: that of its first sync, fixed from then on."""

from datetime import UTC, datetime

from sqlalchemy import Connection, exists, select, update

from cio_pipeline.ledger.schema import counters, syncs
from cio_pipeline.ledger.statements import insert_missing
from cio_pipeline.model.windows import FIRST_WINDOW, hour_of

NAME = "first window"
"""Name of the ledger's counter: seconds since 1970. Ledgers with syncs and without it are older."""

_ITS = counters.c.name == NAME


def begin(connection: Connection, at: datetime) -> None:
    """Let the windows begin with the hour of a sync that is to be registered, or before."""
    first = int(hour_of(at).timestamp())
    if not connection.scalar(select(exists().select_from(syncs))):
        insert_missing(connection, counters, [{"name": NAME, "value": first}])
    earlier = update(counters).where(_ITS, counters.c.value > first)
    connection.execute(earlier.values(value=first))


def first_window(connection: Connection) -> datetime | None:
    """The hour that the windows begin with; None before the first sync is registered."""
    found = connection.scalar(select(counters.c.value).where(_ITS))
    if found is not None:
        return datetime.fromtimestamp(found, UTC)
    return FIRST_WINDOW if connection.scalar(select(exists().select_from(syncs))) else None

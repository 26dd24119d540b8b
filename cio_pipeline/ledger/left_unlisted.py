"""What an earlier build committed without listing it: each sync's next manifest lists it.

Builds until version 9 of the tables committed files first and listed them later. Whatever they had
not come to list is marked by the migration, and listed when the ledger is opened for the first
time, before any run.
"""

from sqlalchemy import Connection, delete, func, select

from cio_pipeline.ledger.chain import list_next
from cio_pipeline.ledger.schema import counters, files, plans
from cio_pipeline.ledger.transactions import Database

_LEFT = counters.c.name == "unlisted"
_MARKED = files.c.manifest_ordinal == 0


def list_what_was_left(database: Database) -> None:
    """Store the manifests, in one transaction; nothing is done in a ledger that lacks none."""
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
        list_next(connection, {row.sync_id for row in rows}, ids, None, at, marked=0)

"""The history of syncs: a line for each thing that somebody did to one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from cio_pipeline.ledger.schema import sync_history
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.history import Deed, Entry, difference
from cio_pipeline.model.registry import RegisteredSync


@dataclass(frozen=True)
class History:
    """Who did what to a sync."""

    database: Database

    def of(self, sync_id: str) -> Sequence[Entry]:
        """All lines of a sync, oldest first."""
        c = sync_history.c
        query = select(c.at, c.who, c.what, c.before, c.after).where(c.sync_id == sync_id)
        rows = self.database.read(lambda connection: connection.execute(query.order_by(c.id)).all())
        return [
            Entry(sync_id, at, who, what, json.loads(before), json.loads(after))
            for at, who, what, before, after in rows
        ]


def record(
    connection: Connection,
    deed: Deed,
    before: RegisteredSync | None,
    after: RegisteredSync,
    at: datetime,
) -> None:
    """Add a line, in the transaction that does what it tells."""
    old, new = difference(before, after)
    connection.execute(
        insert(sync_history).values(
            sync_id=after.sync.id,
            at=at,
            who=deed.who,
            what=deed.what,
            before=json.dumps(old, sort_keys=True),
            after=json.dumps(new, sort_keys=True),
        )
    )

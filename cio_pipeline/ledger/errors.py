"""What went wrong for a (sync, export) in a window."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from cio_pipeline.ledger.bulk import chunks, upsert
from cio_pipeline.ledger.schema import errors
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.registry import Pair


@dataclass(frozen=True)
class Errors:
    """What went wrong, scrubbed by the caller."""

    database: Database

    def record(
        self, pairs: Collection[Pair], at: datetime, kind: str, message: str, now: datetime
    ) -> None:
        """Record one error for pairs, in the window that ends at `at`; the last one counts."""
        error = {"window_end": at, "kind": kind, "message": storable(message), "at": now}
        rows = [
            {"sync_id": sync_id, "export": export, **error, "overtaken": False}
            for sync_id, export in set(pairs)
        ]

        def work(connection: Connection) -> None:
            for chunk in chunks(rows):
                upsert(connection, errors, chunk)

        self.database.write(work)

    def of_window(self, at: datetime) -> Mapping[Pair, str]:
        """Errors of one window that no later delivery has overtaken: pair → message."""
        query = select(errors.c.sync_id, errors.c.export, errors.c.message).where(
            errors.c.window_end == at, ~errors.c.overtaken
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {(sync_id, export): message for sync_id, export, message in sorted(rows)}

    def since(self, at: datetime) -> Collection[tuple[Pair, datetime]]:
        """(pair, window end) of all errors in windows that end after `at`, overtaken or not."""
        query = select(errors.c.sync_id, errors.c.export, errors.c.window_end).where(
            errors.c.window_end > at
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {((sync_id, export), window_end) for sync_id, export, window_end in rows}


def storable(message: str) -> str:
    """The message as both databases can keep it."""
    # What PostgreSQL takes as text: no NUL, no half of a surrogate pair.
    return message.encode(errors="replace").decode().replace("\x00", "")

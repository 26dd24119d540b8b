"""What in the source breaks its contract, counted: one row per table and kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cio_pipeline.ledger.bulk import insert_missing
from cio_pipeline.ledger.schema import breaches
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.breaches import Breach, Breaches, Kind


@dataclass(frozen=True)
class SourceBreaches:
    """Breaches of the source contract."""

    database: Database

    def record(self, at: datetime, found: Sequence[Breach]) -> None:
        """Count what a changeset of the window that ends at `at` had; the most, if told again."""

        def work(connection: Connection) -> None:
            for breach in sorted(found, key=lambda one: (one.table, one.kind)):
                _count(connection, at, breach)

        self.database.write(work)

    def all(self) -> Sequence[Breaches]:
        """All that was ever found, by table and kind."""
        query = select(breaches).order_by(breaches.c.source_table, breaches.c.kind)
        return self.database.read(lambda c: [_found(row) for row in c.execute(query)])


def _count(connection: Connection, at: datetime, breach: Breach) -> None:
    key = {"source_table": breach.table, "kind": breach.kind.value}
    none = {"first_at": at, "last_at": at, "windows": 0, "last_rows": 0, "rows": 0}
    insert_missing(connection, breaches, [key | none])
    its = (breaches.c.source_table == breach.table) & (breaches.c.kind == breach.kind.value)
    row = connection.execute(select(breaches).where(its).with_for_update()).one()
    connection.execute(update(breaches).where(its).values(**_counted(row, at, breach.rows)))


def _counted(row: Row[Any], at: datetime, rows: int) -> dict[str, Any]:
    """The row with what a window had: a window that is told again counts with the most."""
    again = row.windows and at == row.last_at
    more = max(0, rows - row.last_rows) if again else rows
    newest = at >= row.last_at
    return {
        "first_at": min(row.first_at, at),
        "last_at": max(row.last_at, at),
        "windows": row.windows + (0 if again else 1),
        "last_rows": (row.last_rows + more if again else rows) if newest else row.last_rows,
        "rows": row.rows + more,
    }


def _found(row: Row[Any]) -> Breaches:
    last = Breach(row.source_table, Kind(row.kind), row.last_rows)
    return Breaches(last, row.first_at, row.last_at, row.windows, row.rows)

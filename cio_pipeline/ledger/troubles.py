"""What is counted of troubles: breaches of the source, broken destinations, runs asked for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from cio_pipeline.ledger.bulk import chunks, insert_missing, upsert
from cio_pipeline.ledger.errors import storable
from cio_pipeline.ledger.schema import attempts, breaches, breakers
from cio_pipeline.ledger.transactions import Database, reading, writing
from cio_pipeline.model.breaches import Breach, Breaches, Kind
from cio_pipeline.model.breakers import Breaker, BreakerState


@dataclass(frozen=True)
class SourceBreaches:
    """What in the source breaks its contract: one row per table and kind."""

    database: Database

    @writing
    def record(self, connection: Connection, at: datetime, found: Sequence[Breach]) -> None:
        """Count what a changeset of the window that ends at `at` had; the most, if told again."""
        for breach in sorted(found, key=lambda one: (one.table, one.kind)):
            key = {"source_table": breach.table, "kind": breach.kind.value}
            none = {"first_at": at, "last_at": at, "windows": 0, "last_rows": 0, "rows": 0}
            insert_missing(connection, breaches, [key | none])
            its = (breaches.c.source_table == breach.table) & (breaches.c.kind == breach.kind.value)
            row = connection.execute(select(breaches).where(its).with_for_update()).one()
            connection.execute(update(breaches).where(its).values(**_counted(row, at, breach.rows)))

    @reading
    def all(self, connection: Connection) -> Sequence[Breaches]:
        """All that was ever found, by table and kind."""
        query = select(breaches).order_by(breaches.c.source_table, breaches.c.kind)
        return [
            Breaches(
                Breach(row.source_table, Kind(row.kind), row.last_rows),
                row.first_at,
                row.last_at,
                row.windows,
                row.rows,
            )
            for row in connection.execute(query)
        ]


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


@dataclass(frozen=True)
class Breakers:
    """Breakers of syncs that are not in order."""

    database: Database

    @reading
    def all(self, connection: Connection) -> Mapping[str, Breaker]:
        """The breakers there are, by sync id."""
        rows = connection.execute(_ALL_BREAKERS).mappings()
        return {
            row["sync_id"]: replace(Breaker(**row), state=BreakerState(row["state"]))
            for row in rows
        }

    @writing
    def put(self, connection: Connection, changed: Sequence[Breaker]) -> None:
        """Keep breakers in place of what was kept of those syncs."""
        rows = [
            {**asdict(one), "state": one.state.value, "message": storable(one.message)}
            for one in changed
        ]
        for chunk in chunks(rows):
            upsert(connection, breakers, chunk)

    @writing
    def close(self, connection: Connection, sync_ids: Collection[str]) -> None:
        """Forget the breakers of syncs: they are in order, or somebody says that they are."""
        for chunk in chunks(sorted(set(sync_ids))):
            connection.execute(delete(breakers).where(breakers.c.sync_id.in_(chunk)))


_ALL_BREAKERS = select(breakers)


@dataclass(frozen=True)
class Attempts:
    """How often the sensor asked for a run of a window, per lane."""

    database: Database

    @writing
    def next(self, connection: Connection, lane: str, key: str, now: datetime) -> int:
        """Count one more attempt and return its number, from 1."""
        none = {"lane": lane, "key": key, "count": 0, "last_at": now}
        insert_missing(connection, attempts, [none])
        return connection.execute(
            update(attempts)
            .where(attempts.c.lane == lane, attempts.c.key == key)
            .values(count=attempts.c.count + 1, last_at=now)
            .returning(attempts.c.count)
        ).scalar_one()

    @reading
    def counts(
        self, connection: Connection, lane: str, keys: Collection[str]
    ) -> Mapping[str, tuple[int, datetime]]:
        """Number and time of the last attempt, for the keys that have one."""
        found: dict[str, tuple[int, datetime]] = {}
        for chunk in chunks(sorted(set(keys))):
            query = select(attempts.c.key, attempts.c.count, attempts.c.last_at).where(
                attempts.c.lane == lane, attempts.c.key.in_(chunk)
            )
            found.update({key: (count, at) for key, count, at in connection.execute(query)})
        return found

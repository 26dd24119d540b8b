"""How often the sensor asked for a run of a window."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from cio_pipeline.ledger.bulk import chunks, insert_missing
from cio_pipeline.ledger.schema import attempts
from cio_pipeline.ledger.transactions import Database


@dataclass(frozen=True)
class Attempts:
    """How often the sensor tried."""

    database: Database

    def next(self, lane: str, key: str, now: datetime) -> int:
        """Count one more attempt and return its number, from 1."""

        def work(connection: Connection) -> int:
            insert_missing(
                connection, attempts, [{"lane": lane, "key": key, "count": 0, "last_at": now}]
            )
            return connection.execute(
                update(attempts)
                .where(attempts.c.lane == lane, attempts.c.key == key)
                .values(count=attempts.c.count + 1, last_at=now)
                .returning(attempts.c.count)
            ).scalar_one()

        return self.database.write(work)

    def counts(self, lane: str, keys: Collection[str]) -> Mapping[str, tuple[int, datetime]]:
        """Number and time of the last attempt, for the keys that have one."""

        def work(connection: Connection) -> Mapping[str, tuple[int, datetime]]:
            found: dict[str, tuple[int, datetime]] = {}
            for chunk in chunks(sorted(set(keys))):
                query = select(attempts.c.key, attempts.c.count, attempts.c.last_at).where(
                    attempts.c.lane == lane, attempts.c.key.in_(chunk)
                )
                found.update({key: (count, at) for key, count, at in connection.execute(query)})
            return found

        return self.database.read(work)

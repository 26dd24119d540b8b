"""Which syncs' destinations failed in their last runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, delete, select

from cio_pipeline.ledger.bulk import chunks, upsert
from cio_pipeline.ledger.errors import storable
from cio_pipeline.ledger.schema import breakers
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.breakers import Breaker, BreakerState

_ALL = select(breakers)


@dataclass(frozen=True)
class Breakers:
    """Breakers of syncs that are not in order."""

    database: Database

    def all(self) -> Mapping[str, Breaker]:
        """The breakers there are, by sync id."""
        rows = self.database.read(lambda connection: connection.execute(_ALL).mappings().all())
        return {
            row["sync_id"]: replace(Breaker(**row), state=BreakerState(row["state"]))
            for row in rows
        }

    def put(self, changed: Sequence[Breaker]) -> None:
        """Keep breakers in place of what was kept of those syncs."""
        rows = [
            {**asdict(one), "state": one.state.value, "message": storable(one.message)}
            for one in changed
        ]

        def work(connection: Connection) -> None:
            for chunk in chunks(rows):
                upsert(connection, breakers, chunk)

        self.database.write(work)

    def close(self, sync_ids: Collection[str]) -> None:
        """Forget the breakers of syncs: they are in order, or somebody says that they are."""

        def work(connection: Connection) -> None:
            for chunk in chunks(sorted(set(sync_ids))):
                connection.execute(delete(breakers).where(breakers.c.sync_id.in_(chunk)))

        self.database.write(work)

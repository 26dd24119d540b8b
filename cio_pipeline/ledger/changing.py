"""Changing a sync as a whole: disabled, in a new generation, moved (D7)."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, update

from cio_pipeline.ledger.bulk import name_pairs
from cio_pipeline.ledger.chain import store_manifests
from cio_pipeline.ledger.errors import forget_errors
from cio_pipeline.ledger.history import record
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.positions import unfinished_pairs
from cio_pipeline.ledger.quarantine import forget_held
from cio_pipeline.ledger.registry import register, require_known
from cio_pipeline.ledger.schema import positions, syncs
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.history import Deed
from cio_pipeline.model.manifests import Manifest
from cio_pipeline.model.registry import Lease, RegisteredSync


class Changes:
    """What happens to a sync as a whole."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def change(
        self,
        lease: Lease,
        known: RegisteredSync,
        to: RegisteredSync,
        deed: Deed,
        at: datetime,
        *,
        forgotten: Collection[str] = (),
        manifest: tuple[Manifest, bytes] | None = None,
    ) -> None:
        """Make a sync what it is `to` be, in one transaction with a line of its history.

        The lease holds all its pairs. `forgotten` exports lose their position, so they begin with
        all history again; `manifest` is stored with it, to begin a chain anew. Raises LeaseLost,
        also if the sync is not what is `known` any more; PositionMoved if a plan is unfinished.
        """

        def work(connection: Connection) -> None:
            hold(connection, lease, lease.tokens)
            require_known(connection, known)
            _require_finished(connection, known, to, forgotten)
            register(connection, to.sync, to.switches, to.created_at)
            connection.execute(
                update(syncs)
                .where(syncs.c.id == to.sync.id)
                .values(
                    generation=to.generation,
                    created_at=to.created_at,
                    disabled_at=to.disabled_at,
                    first_manifest=to.first_manifest,
                )
            )
            _forget(connection, to, forgotten)
            anew = known.switches if known.generation != to.generation else forgotten
            forget_errors(connection, to.sync.id, anew)
            forget_held(connection, to.sync.id, anew)
            if manifest is not None:
                store_manifests(connection, [manifest])
            record(connection, deed, known, to, at)

        self.database.write(work)


def _require_finished(
    connection: Connection, known: RegisteredSync, to: RegisteredSync, forgotten: Collection[str]
) -> None:
    anew = known.generation != to.generation or known.first_manifest != to.first_manifest
    exports = known.switches if anew else forgotten
    busy = unfinished_pairs(connection, [(to.sync.id, export) for export in exports])
    if busy:
        raise PositionMoved(f"A plan is unfinished for {name_pairs(busy)}.", "Do it again.")


def _forget(connection: Connection, to: RegisteredSync, exports: Collection[str]) -> None:
    """Drop positions, so that these exports begin with all history again."""
    connection.execute(
        delete(positions).where(
            positions.c.sync_id == to.sync.id,
            positions.c.generation == to.generation,
            positions.c.export.in_(sorted(exports)),
        )
    )

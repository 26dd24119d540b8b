"""The chain of manifests per sync, and what lies in its bucket (D10)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    func,
    select,
    update,
)

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.chain import LISTED, lasts_of, manifest_file
from cio_pipeline.ledger.errors import end_errors
from cio_pipeline.ledger.plan_rows import is_committed
from cio_pipeline.ledger.schema import files, manifests, plans, syncs, voids
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.manifests import (
    CHAIN,
    KnownObject,
    ManifestFile,
    manifest_key,
)

_FIRST = select(syncs.c.first_manifest).where(syncs.c.id == manifests.c.sync_id)
_UNPUT = select(manifests.c.sync_id, manifests.c.ordinal, manifests.c.body).where(
    # No join: SQLite would walk each sync's chain instead of the few that wait.
    manifests.c.put_at.is_(None),
    manifests.c.ordinal >= _FIRST.correlate(manifests).scalar_subquery(),
)
_MARK_PUT = update(manifests).where(
    manifests.c.sync_id == bindparam("of_sync"), manifests.c.ordinal == bindparam("of_ordinal")
)


@dataclass(frozen=True)
class Manifests:
    """What was sent, chained."""

    database: Database

    def to_list(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have numbers which became void and that none lists yet."""
        return self._of(sync_ids, select(voids.c.sync_id).where(voids.c.manifest_ordinal.is_(None)))

    def last(self, sync_id: str) -> tuple[int, str] | None:
        """Ordinal and digest of the last stored manifest."""
        return self.lasts([sync_id]).get(sync_id)

    def lasts(self, sync_ids: Collection[str]) -> Mapping[str, tuple[int, str]]:
        """The same of each sync that has any."""
        return self.database.read(lambda connection: lasts_of(connection, sync_ids))

    def to_put(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have a manifest that has not been put yet; see `unput`."""
        return self._of(sync_ids, _UNPUT.with_only_columns(manifests.c.sync_id))

    def _of(self, sync_ids: Collection[str], query: Select[tuple[str]]) -> Collection[str]:
        """Those of some syncs that a query finds."""
        found = self.database.read(lambda connection: set(connection.scalars(query.distinct())))
        return set(sync_ids) & found

    def unput(self, sync_ids: Collection[str]) -> Sequence[tuple[str, int, bytes]]:
        """(sync id, ordinal, body) of stored manifests that have not been put yet, in order.

        Those before the chain's beginning in its present place never will be.
        """

        def work(connection: Connection) -> Sequence[tuple[str, int, bytes]]:
            found: list[tuple[str, int, bytes]] = []
            for chunk in chunks(sorted(set(sync_ids))):
                query = _UNPUT.where(manifests.c.sync_id.in_(chunk))
                found += [
                    (sync_id, ordinal, body) for sync_id, ordinal, body in connection.execute(query)
                ]
            return sorted(found)

        return self.database.read(work)

    def mark_put(self, put: Collection[tuple[str, int]], now: datetime) -> None:
        """The manifests lie in the bucket; that ends the errors of their chains."""
        rows = [{"of_sync": sync_id, "of_ordinal": ordinal} for sync_id, ordinal in sorted(put)]
        chains = {(sync_id, CHAIN): now for sync_id, _ in put}

        def work(connection: Connection) -> None:
            connection.execute(_MARK_PUT.values(put_at=now), rows)
            end_errors(connection, chains)

        if rows:
            self.database.write(work)

    def digests(self, sync_id: str) -> Mapping[int, str]:
        """The digests of all stored manifests of a sync, by ordinal, in order."""
        query = (
            select(manifests.c.ordinal, manifests.c.digest)
            .where(manifests.c.sync_id == sync_id)
            .order_by(manifests.c.ordinal)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.ordinal: row.digest for row in rows}

    def body(self, sync_id: str, ordinal: int) -> bytes:
        """One stored manifest; empty if it was pruned."""
        query = select(manifests.c.body).where(
            manifests.c.sync_id == sync_id, manifests.c.ordinal == ordinal
        )
        return self.database.read(lambda connection: connection.scalar(query)) or b""

    def bodies(self, sync_id: str) -> Sequence[tuple[int, bytes]]:
        """All stored manifests of a sync, in order; those that were pruned are empty."""
        query = (
            select(manifests.c.ordinal, manifests.c.body)
            .where(manifests.c.sync_id == sync_id)
            .order_by(manifests.c.ordinal)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [(ordinal, body) for ordinal, body in rows]

    def objects(self, sync_id: str) -> Sequence[KnownObject]:
        """Everything that may have been put for a sync, wherever its files went then."""
        c = files.c
        keys = select(c.key, c.bytes, c.sha256, is_committed())
        size = func.coalesce(manifests.c.bytes, func.length(manifests.c.body))
        chain = select(manifests.c.ordinal, size, manifests.c.digest)

        def work(connection: Connection) -> Sequence[KnownObject]:
            put = connection.execute(keys.where(c.sync_id == sync_id).order_by(c.key)).all()
            listed = connection.execute(
                chain.where(manifests.c.sync_id == sync_id).order_by(manifests.c.ordinal)
            ).all()
            return [
                *(KnownObject(key, size, sha256, done) for key, size, sha256, done in put),
                *(KnownObject(manifest_key(n), size, sha256) for n, size, sha256 in listed),
            ]

        return self.database.read(work)

    def files(self, sync_id: str, generation: int | None = None) -> Sequence[ManifestFile]:
        """All files that the manifests of a sync list, of one generation or of all, in order."""
        query = LISTED.where(files.c.sync_id == sync_id, is_committed())
        if generation is not None:
            query = query.where(plans.c.generation == generation)
        query = query.order_by(files.c.manifest_ordinal, files.c.plan_id, files.c.number)
        rows = self.database.read(lambda connection: connection.execute(query).mappings().all())
        return [manifest_file(row) for row in rows]

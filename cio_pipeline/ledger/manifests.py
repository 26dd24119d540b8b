"""The chain of manifests per sync, and what lies in its bucket (D10)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    update,
)

from cio_pipeline.ledger.chain import LISTED, lasts_of, manifest_file
from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import rows_given
from cio_pipeline.ledger.schema import (
    IS_COMMITTED,
    IS_UNFINISHED,
    files,
    manifests,
    plans,
    rewrites,
    syncs,
    voids,
)
from cio_pipeline.ledger.troubles import end_errors
from cio_pipeline.model.manifests import (
    CHAIN,
    KnownObject,
    ManifestFile,
    manifest_key,
)
from cio_pipeline.model.plans import PlanState
from cio_pipeline.model.registry import Pair

_FIRST = select(syncs.c.first_manifest).where(syncs.c.id == manifests.c.sync_id)
_UNPUT = select(manifests.c.sync_id, manifests.c.ordinal, manifests.c.body).where(
    # No join: SQLite would walk each sync's chain instead of the few that wait.
    manifests.c.put_at.is_(None),
    manifests.c.ordinal >= _FIRST.correlate(manifests).scalar_subquery(),
)
SMALL = 16 * 1024
"""Bytes of a manifest that is read together with those of all other syncs."""

_BODY = case((func.length(manifests.c.body) <= SMALL, manifests.c.body))
_UNPUT_OF = _UNPUT.with_only_columns(manifests.c.sync_id, manifests.c.ordinal, _BODY).where(
    rows_given((manifests.c.sync_id,), "wanted")
)
_MARK_PUT = update(manifests).where(
    manifests.c.sync_id == bindparam("of_sync"), manifests.c.ordinal == bindparam("of_ordinal")
)


_TO_PUT = _UNPUT.with_only_columns(manifests.c.sync_id).distinct()
_VOID = select(voids.c.sync_id).where(voids.c.manifest_ordinal.is_(None)).distinct()
_DELIVERED = select(plans.c.sync_id, plans.c.export).where(
    IS_UNFINISHED, plans.c.state == PlanState.DELIVERED
)


def _not(rewritten: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether no rewriting of a file is like that."""
    its = rewrites.c.sync_id == files.c.sync_id, rewrites.c.key == files.c.key
    return not_(exists().where(*its, rewritten))


@dataclass(frozen=True)
class Waiting:
    """Pairs with a delivered plan; syncs with numbers that became void and are in no manifest yet.

    And those with a manifest that lies in no bucket yet, see `Manifests.unput`.
    """

    delivered: set[Pair]
    void: set[str]
    unput: set[str]


@dataclass(frozen=True)
class Manifests:
    """What was sent, chained."""

    database: Database

    @reading
    def waiting(self, connection: Connection) -> Waiting:
        """What waits to be committed, listed or put."""
        delivered = connection.execute(_DELIVERED).all()
        return Waiting(
            {(sync_id, export) for sync_id, export in delivered},
            set(connection.scalars(_VOID).all()),
            set(connection.scalars(_TO_PUT).all()),
        )

    def last(self, sync_id: str) -> tuple[int, str] | None:
        """Ordinal and digest of the last stored manifest."""
        return self.lasts([sync_id]).get(sync_id)

    @reading
    def lasts(
        self, connection: Connection, sync_ids: Collection[str]
    ) -> Mapping[str, tuple[int, str]]:
        """The same of each sync that has any."""
        return lasts_of(connection, sync_ids)

    @reading
    def begun(self, connection: Connection, sync_id: str) -> bool:
        """Whether anything of the chain was put where it goes on: a manifest, or a listed file."""
        first = select(syncs.c.first_manifest).where(syncs.c.id == sync_id).scalar_subquery()
        its, listed = manifests.c, files.c.manifest_ordinal
        put = exists().where(its.sync_id == sync_id, its.ordinal >= first, its.put_at.is_not(None))
        return bool(
            connection.scalar(
                select(or_(put, exists().where(files.c.sync_id == sync_id, listed >= first)))
            )
        )

    @reading
    def unput(
        self, connection: Connection, sync_ids: Collection[str]
    ) -> Sequence[tuple[str, int, bytes | None]]:
        """(sync id, ordinal, body) of stored manifests that have not been put yet, in order.

        A body that is not SMALL is None: it is asked for when its turn comes (`body`). Those before
        the chain's beginning in its present place never will be put.
        """
        rows = connection.execute(_UNPUT_OF, {"wanted": sync_ids}).all()
        return sorted(((*one, body) for *one, body in rows), key=itemgetter(0, 1))

    @writing
    def mark_put(
        self, connection: Connection, put: Collection[tuple[str, int]], now: datetime
    ) -> None:
        """Manifests (one at least) lie in the bucket; that ends the errors of their chains."""
        rows = [{"of_sync": sync_id, "of_ordinal": ordinal} for sync_id, ordinal in sorted(put)]
        connection.execute(_MARK_PUT.values(put_at=now), rows)
        end_errors(connection, {(sync_id, CHAIN): now for sync_id, _ in put})

    @reading
    def digests(self, connection: Connection, sync_id: str) -> Mapping[int, str]:
        """The digests of all stored manifests of a sync, by ordinal, in order."""
        query = (
            select(manifests.c.ordinal, manifests.c.digest)
            .where(manifests.c.sync_id == sync_id)
            .order_by(manifests.c.ordinal)
        )
        return {row.ordinal: row.digest for row in connection.execute(query)}

    @reading
    def body(self, connection: Connection, sync_id: str, ordinal: int) -> bytes:
        """One stored manifest; empty if it was pruned."""
        query = select(manifests.c.body).where(
            manifests.c.sync_id == sync_id, manifests.c.ordinal == ordinal
        )
        return connection.scalar(query) or b""

    @reading
    def bodies(self, connection: Connection, sync_id: str) -> Sequence[tuple[int, bytes]]:
        """All stored manifests of a sync, in order; those that were pruned are empty."""
        query = (
            select(manifests.c.ordinal, manifests.c.body)
            .where(manifests.c.sync_id == sync_id)
            .order_by(manifests.c.ordinal)
        )
        return [(ordinal, body) for ordinal, body in connection.execute(query)]

    @reading
    def objects(self, connection: Connection, sync_id: str) -> Sequence[KnownObject]:
        """Everything that may have been put for a sync, wherever its files went then."""
        c = files.c
        keys = select(c.key, c.bytes, c.sha256, IS_COMMITTED)
        size = func.coalesce(manifests.c.bytes, func.length(manifests.c.body))
        chain = select(manifests.c.ordinal, size, manifests.c.digest)
        put = connection.execute(keys.where(c.sync_id == sync_id).order_by(c.key)).all()
        listed = connection.execute(
            chain.where(manifests.c.sync_id == sync_id).order_by(manifests.c.ordinal)
        ).all()
        return [
            *(KnownObject(key, size, sha256, done) for key, size, sha256, done in put),
            *(KnownObject(manifest_key(n), size, sha256) for n, size, sha256 in listed),
        ]

    @reading
    def expired(
        self,
        connection: Connection,
        sync_id: str,
        before: datetime | None,
        up_to: tuple[int, datetime] | None = None,
    ) -> Sequence[KnownObject]:
        """Files that were committed before a time, or before one of a manifest up to a number.

        Of those that a later one replaced, the last counts; nothing under whose key a plan under
        way has put another, or may have. One that was rewritten is as new as that: who has loaded
        it has to load it again.
        """
        c, again = files.c, rewrites.c
        old = [] if before is None else [and_(plans.c.closed_at < before, _not(again.at >= before))]
        if up_to is not None:
            last, grace = up_to
            untold = or_(again.manifest_ordinal.is_(None), again.manifest_ordinal > last)
            read = c.manifest_ordinal <= last, plans.c.closed_at < grace
            old.append(and_(*read, _not(or_(untold, again.at >= grace))))
        its = (
            select(c.key, c.bytes, c.sha256, c.sequence, or_(false(), *old).label("old"))
            .join(plans, plans.c.id == c.plan_id)
            .join(syncs, syncs.c.id == c.sync_id)
            .where(c.sync_id == sync_id, c.manifest_ordinal >= syncs.c.first_manifest)
            .order_by(c.manifest_ordinal, c.sequence)
        )
        last = {row.key: row for row in connection.execute(its)}
        coming = select(c.key).join(plans, plans.c.id == c.plan_id)
        for key in connection.scalars(coming.where(c.sync_id == sync_id, IS_UNFINISHED)):
            last.pop(key, None)
        return [KnownObject(r.key, r.bytes, r.sha256) for r in last.values() if r.old]

    @reading
    def waiting_since(
        self, connection: Connection, sync_id: str, ordinal: int
    ) -> tuple[int, datetime | None]:
        """How many manifests were put after a number, and when the first of them was."""
        c = manifests.c
        later = c.sync_id == sync_id, c.ordinal > ordinal, c.put_at.is_not(None)
        found = connection.execute(select(func.count(), func.min(c.put_at)).where(*later)).one()
        return found[0], found[1]

    @reading
    def files(
        self, connection: Connection, sync_id: str, generation: int | None = None
    ) -> Sequence[ManifestFile]:
        """All files that the manifests of a sync list, of one generation or of all, in order."""
        query = LISTED.where(files.c.sync_id == sync_id, IS_COMMITTED)
        if generation is not None:
            query = query.where(plans.c.generation == generation)
        query = query.order_by(files.c.manifest_ordinal, files.c.plan_id, files.c.number)
        return [manifest_file(row) for row in connection.execute(query).all()]

"""The chain of manifests per sync, and what no manifest lists yet (D10)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    func,
    select,
    update,
)

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.chain import another_run, lasts_of, store_manifests
from cio_pipeline.ledger.errors import end_errors
from cio_pipeline.ledger.failures import RowConflict
from cio_pipeline.ledger.plan_rows import is_committed
from cio_pipeline.ledger.schema import files, manifests, plans, syncs, voids
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.manifests import (
    CHAIN,
    KnownObject,
    Manifest,
    ManifestFile,
    VoidSequence,
    manifest_key,
)
from cio_pipeline.model.plans import Mode, Series

_UNPUT = (
    select(manifests.c.sync_id, manifests.c.ordinal, manifests.c.body)
    .join(syncs, syncs.c.id == manifests.c.sync_id)
    .where(manifests.c.put_at.is_(None), manifests.c.ordinal >= syncs.c.first_manifest)
)
_MARK_PUT = update(manifests).where(
    manifests.c.sync_id == bindparam("of_sync"), manifests.c.ordinal == bindparam("of_ordinal")
)

Pending = tuple[list[ManifestFile], list[VoidSequence]]


@dataclass(frozen=True)
class Manifests:
    """What was sent, chained."""

    database: Database

    def pending(
        self, sync_ids: Collection[str]
    ) -> Mapping[str, tuple[Sequence[ManifestFile], Sequence[VoidSequence]]]:
        """Committed files and void numbers that no manifest lists yet, per sync that has any."""

        def work(connection: Connection) -> Mapping[str, Pending]:
            found: dict[str, Pending] = defaultdict(lambda: ([], []))
            for chunk in chunks(sorted(set(sync_ids))):
                unlisted = files.c.manifest_ordinal.is_(None) & files.c.sync_id.in_(chunk)
                for sync_id, file in _committed(connection, unlisted):
                    found[sync_id][0].append(file)
                for sync_id, void in _unlisted_voids(connection, chunk):
                    found[sync_id][1].append(void)
            return dict(found)

        return self.database.read(work)

    def to_list(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have committed files or void numbers that none lists yet."""
        of_files = (
            select(files.c.sync_id)
            .join(plans, plans.c.id == files.c.plan_id)
            .where(files.c.manifest_ordinal.is_(None), is_committed())
        )
        of_voids = select(voids.c.sync_id).where(voids.c.manifest_ordinal.is_(None))
        return self._of(sync_ids, of_files, of_voids)

    def last(self, sync_id: str) -> tuple[int, str] | None:
        """Ordinal and digest of the last stored manifest."""
        return self.lasts([sync_id]).get(sync_id)

    def lasts(self, sync_ids: Collection[str]) -> Mapping[str, tuple[int, str]]:
        """The same of each sync that has any."""
        return self.database.read(lambda connection: lasts_of(connection, sync_ids))

    def store(self, made: Collection[tuple[Manifest, bytes]]) -> None:
        """Store manifests, one per sync, before they are put, and mark what they list.

        All of them or none. Raises LeaseLost if an ordinal is taken, if one does not continue its
        chain, or if another manifest lists one of its files already.
        """
        try:
            self.database.write(lambda connection: store_manifests(connection, made))
        except RowConflict:
            another_run(next(manifest for manifest, _ in made))

    def to_put(self, sync_ids: Collection[str]) -> Collection[str]:
        """The syncs among some that have a manifest that has not been put yet; see `unput`."""
        return self._of(sync_ids, _UNPUT.with_only_columns(manifests.c.sync_id))

    def _of(self, sync_ids: Collection[str], *queries: Select[tuple[str]]) -> Collection[str]:
        """Those of some syncs that any of the queries finds."""
        found = self.database.read(
            lambda connection: [set(connection.scalars(query.distinct())) for query in queries]
        )
        return set(sync_ids) & set[str]().union(*found)

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
        keys = select(c.key, c.bytes, c.sha256, is_committed()).join(plans, plans.c.id == c.plan_id)
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
        """All committed files of a sync, of one generation or of all, in order of commit."""
        of_sync = files.c.sync_id == sync_id
        if generation is not None:
            of_sync &= plans.c.generation == generation
        rows = self.database.read(lambda connection: _committed(connection, of_sync))
        return [file for _, file in rows]


def _committed(
    connection: Connection, condition: ColumnElement[bool]
) -> list[tuple[str, ManifestFile]]:
    query = (
        select(
            files,
            plans.c.export,
            plans.c.fingerprint,
            plans.c.version,
            plans.c.upper_at,
            plans.c.generation,
            plans.c.mode,
        )
        .join(plans, plans.c.id == files.c.plan_id)
        .where(condition, is_committed())
        .order_by(plans.c.commit_number, plans.c.id, files.c.number)
    )
    return [(row["sync_id"], _file(row)) for row in connection.execute(query).mappings()]


def _file(row: RowMapping) -> ManifestFile:
    return ManifestFile(
        key=row["key"],
        export=row["export"],
        series=Series(row["series"]),
        sequence=row["sequence"],
        part=row["part"],
        rows=row["rows"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        fingerprint=row["fingerprint"],
        version=row["version"],
        window_end=row["upper_at"],
        generation=row["generation"],
        mode=Mode(row["mode"]),
        min_time=row["min_time"],
        max_time=row["max_time"],
    )


def _unlisted_voids(
    connection: Connection, sync_ids: Sequence[str]
) -> list[tuple[str, VoidSequence]]:
    query = select(voids).where(voids.c.sync_id.in_(sync_ids), voids.c.manifest_ordinal.is_(None))
    rows = connection.execute(query).all()
    return [
        (row.sync_id, VoidSequence(row.export, Series(row.series), row.sequence))
        for row in sorted(rows, key=lambda r: (r.export, r.series, r.sequence))
    ]

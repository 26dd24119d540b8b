"""The next link of a chain of manifests, and what it lists (D10)."""

from typing import NoReturn

from sqlalchemy import Connection, insert, select, tuple_, update

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.schema import files, manifests, voids
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.manifests import (
    Manifest,
    digest,
)


def store_manifest(connection: Connection, manifest: Manifest, body: bytes) -> None:
    """Store a manifest and mark what it lists; LeaseLost if it does not continue the chain."""
    before = (manifest.ordinal - 1, manifest.previous) if manifest.previous else None
    if before != last_of(connection, manifest.sync_id) or (not before and manifest.ordinal != 1):
        another_run(manifest)
    connection.execute(
        insert(manifests).values(
            sync_id=manifest.sync_id, ordinal=manifest.ordinal, digest=digest(body), body=body
        )
    )
    _list_files(connection, manifest)
    _list_voids(connection, manifest)


def last_of(connection: Connection, sync_id: str) -> tuple[int, str] | None:
    """Ordinal and digest of the last stored manifest of a sync."""
    query = (
        select(manifests.c.ordinal, manifests.c.digest)
        .where(manifests.c.sync_id == sync_id)
        .order_by(manifests.c.ordinal.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else (row[0], row[1])


def _list_files(connection: Connection, manifest: Manifest) -> None:
    listed = 0
    for chunk in chunks((file.key, file.sequence) for file in manifest.files):
        listed += connection.execute(
            update(files)
            .where(
                files.c.sync_id == manifest.sync_id,
                tuple_(files.c.key, files.c.sequence).in_(chunk),
                files.c.manifest_ordinal.is_(None),
            )
            .values(manifest_ordinal=manifest.ordinal)
        ).rowcount
    if listed != len(manifest.files):
        another_run(manifest)


def _list_voids(connection: Connection, manifest: Manifest) -> None:
    numbers = [(void.export, void.series.value, void.sequence) for void in manifest.void]
    for chunk in chunks(numbers):
        connection.execute(
            update(voids)
            .where(
                voids.c.sync_id == manifest.sync_id,
                tuple_(voids.c.export, voids.c.series, voids.c.sequence).in_(chunk),
            )
            .values(manifest_ordinal=manifest.ordinal)
        )


def another_run(manifest: Manifest) -> NoReturn:
    """Raise LeaseLost: the chain went on meanwhile."""
    raise LeaseLost(
        f"Manifest {manifest.ordinal} of sync '{manifest.sync_id}' does not continue what the "
        "ledger holds: another run stored one.",
        "Nothing needs to be done: the next manifest lists what is left.",
    )

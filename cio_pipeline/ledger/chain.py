"""The next link of a chain of manifests, and what it lists (D10)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.schema import files, manifests, voids
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.manifests import (
    Manifest,
    digest,
)


def store_manifests(connection: Connection, made: Collection[tuple[Manifest, bytes]]) -> None:
    """Store manifests, one per sync, and mark what they list.

    Raises LeaseLost if one does not continue its chain, or lists what another one does.
    """
    before = lasts_of(connection, [manifest.sync_id for manifest, _ in made])
    for manifest, _ in made:
        wanted = (manifest.ordinal - 1, manifest.previous) if manifest.ordinal > 1 else None
        if wanted != before.get(manifest.sync_id):
            another_run(manifest)
    rows = [
        {"sync_id": one.sync_id, "ordinal": one.ordinal, "digest": digest(body), "body": body}
        for one, body in made
    ]
    for chunk in chunks(rows):
        connection.execute(insert(manifests), chunk)
    for manifest, _ in made:
        _list_files(connection, manifest)
        _list_voids(connection, manifest)


def lasts_of(connection: Connection, sync_ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """Ordinal and digest of the last stored manifest of each sync that has any."""
    found: dict[str, tuple[int, str]] = {}
    # One look into the index each: a statement for all of them would walk through whole chains.
    for sync_id in sorted(set(sync_ids)):
        row = connection.execute(_LAST, {"of_sync": sync_id}).first()
        if row is not None:
            found[sync_id] = (row[0], row[1])
    return found


_LAST = (
    select(manifests.c.ordinal, manifests.c.digest)
    .where(manifests.c.sync_id == bindparam("of_sync"))
    .order_by(manifests.c.ordinal.desc())
    .limit(1)
)

_LIST_FILE = (
    update(files)
    .where(
        files.c.sync_id == bindparam("of_sync"),
        files.c.key == bindparam("of_key"),
        files.c.sequence == bindparam("of_sequence"),
        files.c.manifest_ordinal.is_(None),
    )
    .values(manifest_ordinal=bindparam("listed_by"))
)
_LIST_VOID = (
    update(voids)
    .where(
        voids.c.sync_id == bindparam("of_sync"),
        voids.c.export == bindparam("of_export"),
        voids.c.series == bindparam("of_series"),
        voids.c.sequence == bindparam("of_sequence"),
        voids.c.manifest_ordinal.is_(None),
    )
    .values(manifest_ordinal=bindparam("listed_by"))
)
"""One row each, many at a time: a list of keys would become part of the statement's text."""


def _list_files(connection: Connection, manifest: Manifest) -> None:
    by = {"of_sync": manifest.sync_id, "listed_by": manifest.ordinal}
    rows = [by | {"of_key": file.key, "of_sequence": file.sequence} for file in manifest.files]
    _require_all(connection, _LIST_FILE, rows, manifest)


def _list_voids(connection: Connection, manifest: Manifest) -> None:
    by = {"of_sync": manifest.sync_id, "listed_by": manifest.ordinal}
    rows = [
        by | {"of_export": v.export, "of_series": v.series.value, "of_sequence": v.sequence}
        for v in manifest.void
    ]
    _require_all(connection, _LIST_VOID, rows, manifest)


def _require_all(
    connection: Connection, listing: Update, rows: Sequence[Mapping[str, Any]], manifest: Manifest
) -> None:
    if rows and connection.execute(listing, rows).rowcount != len(rows):
        another_run(manifest)


def another_run(manifest: Manifest) -> NoReturn:
    """Raise LeaseLost: the chain went on meanwhile."""
    raise LeaseLost(
        f"Manifest {manifest.ordinal} of sync '{manifest.sync_id}' does not continue what the "
        "ledger holds: another run stored one.",
        "Nothing needs to be done: the next manifest lists what is left.",
    )

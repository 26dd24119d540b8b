"""Telling the files that manifests list from those that the ledger holds already."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.schema import files
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.plans import SealedFile

CONTRADICTS = "Move the ledger away and rebuild it: `cio-pipeline ledger rebuild --syncs FILE`."

Listed = tuple[int, SealedFile]
"""The number of a manifest, and a file that it lists."""


def not_known(connection: Connection, sync_id: str, listed: Sequence[Listed]) -> list[Listed]:
    """Those that the ledger does not hold; the others are marked with their manifest.

    Raises LedgerError if it holds one with another digest.
    """
    known = _digests(connection, sync_id, [file.key for _, file in listed])
    for ordinal, file in listed:
        if known.get(file.key, file.sha256) != file.sha256:
            raise LedgerError(
                f"The ledger holds {file.key} of sync '{sync_id}' with another digest than the "
                "bucket's manifests.",
                CONTRADICTS,
            )
        if file.key in known:
            ours = files.c.sync_id == sync_id, files.c.key == file.key
            connection.execute(update(files).where(*ours).values(manifest_ordinal=ordinal))
    return [(ordinal, file) for ordinal, file in listed if file.key not in known]


def _digests(connection: Connection, sync_id: str, keys: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks(keys):
        query = select(files.c.key, files.c.sha256).where(
            files.c.sync_id == sync_id, files.c.key.in_(chunk)
        )
        found.update((key, sha256) for key, sha256 in connection.execute(query))
    return found

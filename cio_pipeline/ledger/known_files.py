"""Telling the files that manifests list from those that the ledger holds already."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from cio_pipeline.ledger.given import as_given, rows_given
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
    known = _digests(connection, sync_id, [_place(file) for _, file in listed])
    for ordinal, file in listed:
        if known.get(_place(file), file.sha256) != file.sha256:
            raise LedgerError(
                f"The ledger holds {file.key} of sync '{sync_id}' with another digest than the "
                "bucket's manifests.",
                CONTRADICTS,
            )
        if _place(file) in known:
            key, sequence = _place(file)
            ours = files.c.sync_id == sync_id, files.c.key == key, files.c.sequence == sequence
            connection.execute(update(files).where(*ours).values(manifest_ordinal=ordinal))
    return [(ordinal, file) for ordinal, file in listed if _place(file) not in known]


def _place(file: SealedFile) -> tuple[str, int]:
    """What tells the files of a sync apart: messages can have equal keys (M4)."""
    return file.key, file.sequence


def _digests(
    connection: Connection, sync_id: str, places: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    these = rows_given((files.c.sync_id, files.c.key, files.c.sequence), "these")
    query = select(files.c.key, files.c.sequence, files.c.sha256).where(these)
    given = as_given([(sync_id, *place) for place in places])
    rows = connection.execute(query, {"these": given})
    return {(key, sequence): sha256 for key, sequence, sha256 in rows}

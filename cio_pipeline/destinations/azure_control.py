"""What goes through Azure's SDK and dagster-azure's resource, not through obstore.

Uploads in blocks (obstore's have no create-only mode), deletes (obstore's are batches, which a
container's SAS may not send), listings with names that obstore cannot hold, and trying out rights.
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, ContentSettings, StandardBlobTier

from cio_pipeline.destinations.azure_errors import BlobRequest, named_errors
from cio_pipeline.destinations.azure_sas import Sas
from cio_pipeline.destinations.patience import Patience, keep_trying
from cio_pipeline.model.times import Clock

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient


class _NoSignatures(logging.Filter):
    """urllib3 logs whole addresses at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "sig=" not in record.getMessage()


logging.getLogger("urllib3.connectionpool").addFilter(_NoSignatures())


@contextmanager
def container_client(sas: Sas) -> "Generator[ContainerClient]":
    """Azure's client for the container of a SAS."""
    from dagster_azure.blob import (  # noqa: PLC0415 - brings Dagster: two seconds
        AzureBlobStorageResource,
        AzureBlobStorageSASTokenCredential,
    )

    resource = AzureBlobStorageResource(
        account_url=sas.account_url, credential=AzureBlobStorageSASTokenCredential(token=sas.token)
    )
    with resource.get_client() as service:
        yield service.get_container_client(sas.container)


def once(patience: Patience) -> Mapping[str, Any]:
    """Options of one call that the SDK does not repeat: the resource cannot set its 15 s waits."""
    return {
        "retry_total": 0,
        "connection_timeout": patience.connect.total_seconds(),
        "read_timeout": patience.request.total_seconds(),
    }


def blobs_below(sas: Sas, folder: str, cut: int, patience: Patience) -> Iterator[tuple[str, int]]:
    """Name without its first `cut` characters, and size, of each blob below a folder.

    Where an account has real folders, they are listed as blobs: left out. Raises the SDK's errors.
    """
    with container_client(sas) as container:
        for blob in container.list_blobs(folder or None, include=["metadata"], **once(patience)):
            if (blob.metadata or {}).get("hdi_isfolder") != "true":
                yield blob.name[cut:], blob.size


_BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Properties:
    """What can be read of a blob that is archived: metadata, the MD5 and the type of its bytes."""

    metadata: Mapping[str, str]
    md5: bytes | None
    content_type: str = field(default=_BYTES, compare=False)


def properties_of(sas: Sas, name: str, patience: Patience) -> Properties:
    """What a blob's properties tell; raises the SDK's errors."""
    with container_client(sas) as container:
        found = container.get_blob_client(name).get_blob_properties(**once(patience))
    md5 = found.content_settings.content_md5
    kind = found.content_settings.content_type or _BYTES
    return Properties(found.metadata or {}, bytes(md5) if md5 else None, kind)


@dataclass(frozen=True)
class BlockUpload:
    """A blob that is to be created from blocks, all or nothing; `in_place` of one of that type.

    Blocks are unseen until they are committed. Those of a killed upload are dropped by the next
    commit of that name, or by Azure after a week.
    """

    name: str
    request: BlobRequest
    sha256: str
    metadata: Mapping[str, str]
    access_tier: str | None
    patience: Patience
    now: Clock
    in_place: str | None = None

    def run(self, sas: Sas, chunks: Iterable[bytes]) -> None:
        """Stage the chunks as blocks and commit them if nothing lies there; else raises Taken.

        Raises whatever `chunks` raises; then nothing becomes visible.
        """
        with container_client(sas) as container:
            blob = container.get_blob_client(self.name)
            blocks = [self._stage(blob, sas, n, chunk) for n, chunk in enumerate(chunks)]
            self._commit(blob, sas, blocks)

    def _stage(self, blob: "BlobClient", sas: Sas, number: int, chunk: bytes) -> BlobBlock:
        name = block_name(self.sha256, number)

        def work() -> None:
            with named_errors(self.request, sas, self.now):
                blob.stage_block(name, chunk, len(chunk), **once(self.patience))

        keep_trying(self.patience, work)
        return BlobBlock(name)

    def _commit(self, blob: "BlobClient", sas: Sas, blocks: list[BlobBlock]) -> None:
        tier = StandardBlobTier(self.access_tier) if self.access_tier else None

        def work() -> None:
            with named_errors(self.request, sas, self.now):
                blob.commit_block_list(
                    blocks,
                    metadata=dict(self.metadata),
                    content_settings=ContentSettings(self.in_place or _BYTES),
                    standard_blob_tier=tier,
                    **({} if self.in_place else {"match_condition": MatchConditions.IfMissing}),
                    **once(self.patience),
                )

        keep_trying(self.patience, work)


def block_name(sha256: str, number: int) -> str:
    """A block's name: other bytes have other blocks, so that no commit mixes those of two writers.

    All of a blob's names must be equally long, those of a killed upload included.
    """
    return f"{sha256[:32]}-{number:05d}"

"""What goes through S3's client beside obstore: listings, metadata, and uploads in parts."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types of its own.

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import obstore
from botocore.exceptions import BotoCoreError, ClientError

from cio_pipeline.destinations.spooled import PART

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import S3Store


def objects_below(client: Any, bucket: str, folder: str, cut: int) -> Iterator[tuple[str, int]]:
    """Name without its first `cut` characters, and size, of each object below a folder.

    Raises boto3's errors.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    for page in pages:
        for one in page.get("Contents", ()):
            yield one["Key"][cut:], one["Size"]


def metadata_of(client: Any, bucket: str, name: str) -> Mapping[str, str]:
    """An object's metadata, which can be read of an archived one too. Raises boto3's errors."""
    return client.head_object(Bucket=bucket, Key=name)["Metadata"]


_AT_A_TIME = 2
"""Parts of one file under way: with 8 threads, at most 16 parts are held."""


def upload(store: "S3Store", key: str, chunks: Iterable[bytes], attributes: "Attributes") -> None:
    """Write an object that becomes visible when all chunks were written, and not if they raise.

    obstore aborts the upload when the block raises.
    """
    with obstore.open_writer(
        store, key, attributes=attributes, buffer_size=PART, max_concurrency=_AT_A_TIME
    ) as writer:
        for chunk in chunks:
            writer.write(chunk)


def abort_leftovers(client: Any, bucket: str, name: str) -> None:
    """Abort the uploads of this very key that killed runs left, so that nobody pays for them.

    Whoever may not list or abort them goes on: seed 001's rights do not include it, and a
    lifecycle rule does the same (docs/destinations.md).
    """
    try:
        found = client.list_multipart_uploads(Bucket=bucket, Prefix=name)
        for one in found.get("Uploads", ()):
            if one["Key"] == name:
                client.abort_multipart_upload(Bucket=bucket, Key=name, UploadId=one["UploadId"])
    except (BotoCoreError, ClientError):
        return

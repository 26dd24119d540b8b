"""What of a bucket's objects obstore cannot tell."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types of its own.

from collections.abc import Iterator, Mapping
from typing import Any


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

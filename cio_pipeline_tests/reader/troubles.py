"""What can be wrong with a bucket that is read: how it comes about, and what must be said."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cio_pipeline.model.errors import (
    CioError,
    FileAltered,
    InvalidConfig,
    ManifestBroken,
    NothingDelivered,
    ObjectMissing,
    UnknownContract,
)
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, entry, with_entry

LAST = manifest_key(3)


@dataclass(frozen=True)
class Trouble:
    """`do` makes it in a whole bucket of three manifests; `good` is the last one that still holds.

    `says` is part of what must be told, with a next step.
    """

    name: str
    do: Callable[[Bucket], None]
    kind: type[CioError]
    says: str
    good: int = 0


def _write(bucket: Bucket, key: str, body: bytes) -> None:
    (bucket.root / key).write_bytes(body)


def _half(bucket: Bucket) -> None:
    body = (bucket.root / LAST).read_bytes()
    _write(bucket, LAST, body[: len(body) // 2])


def _flip(bucket: Bucket) -> None:
    body = bytearray((bucket.root / PEOPLE_2).read_bytes())
    body[len(body) // 2] ^= 255
    _write(bucket, PEOPLE_2, bytes(body))


def _unknown_version(bucket: Bucket) -> None:
    with_entry(bucket, replace(entry(bucket, PEOPLE_2), version=6))


def _unknown_format(bucket: Bucket) -> None:
    body = (bucket.root / LAST).read_text(encoding="utf-8")
    _write(bucket, LAST, body.replace('"format": 1', '"format": 2').encode())


def _emptied(bucket: Bucket) -> None:
    for path in [*bucket.root.rglob("*")]:
        if path.is_file():
            path.unlink()


def _of_two(bucket: Bucket) -> None:
    for path in (bucket.root / "_cio").iterdir():
        path.unlink()
    body = (bucket.root / PEOPLE_2).read_bytes()
    _write(bucket, PEOPLE_2.replace("_7_", "_8_"), body)


def _foreign(bucket: Bucket) -> None:
    for path in [*bucket.root.rglob("*")]:
        if path.is_file():
            path.unlink()
    _write(bucket, "holiday.jpg", b"")


TROUBLES = (
    Trouble("half a manifest", _half, ManifestBroken, "cannot be read", 2),
    Trouble(
        "a manifest of a later release", _unknown_format, ManifestBroken, "Upgrade cio-pipeline", 2
    ),
    Trouble(
        "a manifest removed",
        lambda b: (b.root / manifest_key(2)).unlink(),
        ManifestBroken,
        "Manifest 2 is missing",
        1,
    ),
    Trouble(
        "a manifest exchanged",
        lambda b: b.rewrite(2, rechain=False, version=4),
        ManifestBroken,
        "continues another manifest 2",
        1,
    ),
    Trouble(
        "two feeds under one prefix",
        lambda b: b.rewrite(3, sync_id="other"),
        ManifestBroken,
        "Give each sync a path of its own",
        2,
    ),
    Trouble("a file altered", _flip, FileAltered, f"'{PEOPLE_2}' does not hold", 1),
    Trouble(
        "a file cut short", lambda b: _write(b, PEOPLE_2, b"PAR1"), FileAltered, "does not hold", 1
    ),
    Trouble(
        "a file removed",
        lambda b: (b.root / PEOPLE_2).unlink(),
        ObjectMissing,
        f"'{PEOPLE_2}' is gone",
        1,
    ),
    Trouble("a version of the future", _unknown_version, UnknownContract, "people v6", 1),
    Trouble(
        "other columns",
        lambda b: with_entry(b, replace(entry(b, PEOPLE_2), fingerprint="0" * 16)),
        UnknownContract,
        "has other columns",
        1,
    ),
    Trouble("an empty folder", _emptied, NothingDelivered, "There is no manifest"),
    Trouble("a folder of something else", _foreign, NothingDelivered, "Correct the path"),
    Trouble("files of two workspaces", _of_two, InvalidConfig, "workspace 7 and workspace 8"),
)

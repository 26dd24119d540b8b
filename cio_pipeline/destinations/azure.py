"""Azure Blob Storage: a folder of a container, reached with a container's SAS URL (D8, seed 004).

obstore moves the bytes. A file is one create-only request, or above `AT_ONCE` bytes a row of blocks
with a create-only commit: no reader sees half a blob, and none is ever replaced. Each blob carries
our digest as metadata, so that telling ours from another's costs one request.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.store import AzureStore

from cio_pipeline.destinations.answers import Taken, conflict, in_vain
from cio_pipeline.destinations.azure_control import (
    BlockUpload,
    Properties,
    blobs_below,
    container_client,
    once,
    properties_of,
)
from cio_pipeline.destinations.azure_errors import BlobRequest, named_errors
from cio_pipeline.destinations.azure_rights import Rights
from cio_pipeline.destinations.azure_sas import Sas, parse_sas
from cio_pipeline.destinations.azure_store import check_blob_key, metadata_name, open_store
from cio_pipeline.destinations.keys import JSON, is_for_everybody
from cio_pipeline.destinations.listing import folder, listed
from cio_pipeline.destinations.patience import Patience, keep_trying
from cio_pipeline.destinations.probe import tried
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.destinations.spooled import AT_ONCE, PART, copying, spooled, spooled_size
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.errors import (
    CioError,
    ObjectArchived,
    ObjectMissing,
)
from cio_pipeline.model.objects import ObjectInfo, Permission
from cio_pipeline.model.times import Clock

T = TypeVar("T")

DIGEST = "cio_sha256"
"""Name of the metadata that holds a blob's digest."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class AzureContainer:
    """A `Destination` in a container. The secret is read when it is first needed."""

    def __init__(
        self,
        options: AzureDestination,
        read_secret: Callable[[str], str] = secret_of,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
        now: Clock = _wall_clock,
    ) -> None:
        self.options = options
        self._read_secret = read_secret
        self._patience = patience
        self._now = now

    def await_turn(self) -> None:
        """Objects may be put at any time."""

    def put(self, key: str, file: Path, sha256: str, *, synced: bool = False) -> None:  # noqa: ARG002 - of local disks
        """Create an object from a file; the same bytes count as success, others as conflict."""
        check_blob_key(key, self.options.path)
        if spooled_size(key, file) > AT_ONCE:
            self._create_in_blocks(key, spooled(key, file, sha256, PART), sha256)
        else:
            self._create(key, b"".join(spooled(key, file, sha256)), sha256)

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        check_blob_key(key, self.options.path)
        self._create(key, body, hashlib.sha256(body).hexdigest())

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        return self._asked(BlobRequest("read", "read", key), lambda: b"".join(self._chunks(key)))

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""

        def work() -> None:
            chunks = self._chunks(key)
            with copying(key), to.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)

        self._asked(BlobRequest("read", "read", key), work)

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""

        def work() -> str:
            digest = hashlib.sha256()
            for chunk in self._chunks(key):
                digest.update(chunk)
            return digest.hexdigest()

        return self._asked(BlobRequest("read", "read", key), work)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        if prefix:
            check_blob_key(prefix, self.options.path)

        return self._asked(
            BlobRequest("list", "list", prefix or None),
            lambda: listed(self._store, prefix, lambda: self._blobs(prefix)),
        )

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""

        def work() -> None:
            with container_client(self._sas) as container:
                container.delete_blob(self._name(key), **once(self._patience))

        try:
            self._asked(BlobRequest("delete", "delete", key), work)
        except ObjectMissing:
            return

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small object with metadata, in place of what lies there (M1, M4)."""
        named = {metadata_name(name): value for name, value in metadata.items()}
        attributes = self._attributes(key, {"Content-Type": JSON, **named})

        def work() -> None:
            obstore.put(self._store, key, body, attributes=attributes, use_multipart=False)

        try:
            self._asked(BlobRequest("write", "write", key), work)
        except ObjectArchived:
            # It cannot be overwritten; but it may be this very message, put before a crash.
            same = Properties(named, hashlib.md5(body, usedforsecurity=False).digest())
            if self._told_of(key) != same:
                raise

    def make_durable(self, keys: Iterable[str]) -> None:
        """Nothing: a store answers once it keeps an object."""

    def replace(self, key: str, file: Path, sha256: str) -> None:
        """Write an object in place of what lies there; an account may keep the earlier version."""
        told = self._told_of(key)
        metadata = {**told.metadata, **({DIGEST: sha256} if DIGEST in told.metadata else {})}
        self._upload(key, sha256, metadata, in_place=told.content_type).run(
            self._usable(), spooled(key, file, sha256, PART)
        )

    def announce(self) -> None:
        """Nothing: only a bucket is told of a run (D8)."""

    def permissions(self) -> Sequence[Permission]:
        """Each right of seed 004, and purge's, tried on a blob that is not there."""
        usable = tried("SAS URL", "everything", self._usable, "all")
        if not usable.granted:
            return (usable,)
        return Rights(self._sas, self.options.path, self._patience, self._now).all()

    def describe(self) -> str:
        """Where this is, for people."""
        try:
            place = f"{self._sas.account_url.partition('://')[2]}/{self._sas.container}"
        except CioError:
            place = f"of {self.options.sas_url}"
        folder = f", folder {self.options.path}" if self.options.path else ""
        return f"Azure container {place}{folder}"

    @cached_property
    def _sas(self) -> Sas:
        return parse_sas(self._read_secret(self.options.sas_url))

    @cached_property
    def _store(self) -> AzureStore:
        return open_store(self._usable(), self.options.path, self._patience)

    def _usable(self) -> Sas:
        self._sas.check_time(self._now())
        return self._sas

    def _asked(self, request: BlobRequest, work: Callable[[], T]) -> T:
        """What some work on a key gives, tried again while it may succeed, errors named."""
        if request.key is not None:
            check_blob_key(request.key, self.options.path)

        def named() -> T:
            with named_errors(request, self._usable(), self._now):
                return work()

        return keep_trying(self._patience, named)

    def _told_of(self, key: str) -> Properties:
        return self._asked(
            BlobRequest("read", "read", key),
            lambda: properties_of(self._sas, self._name(key), self._patience),
        )

    def _blobs(self, prefix: str) -> Iterable[tuple[str, int]]:
        below = folder(self.options.path, prefix)
        return blobs_below(self._sas, below, len(self._name("")), self._patience)

    def _name(self, key: str) -> str:
        return f"{self.options.path}/{key}" if self.options.path else key

    def _tier(self, key: str) -> str | None:
        return None if is_for_everybody(key) else self.options.access_tier

    def _attributes(self, key: str, metadata: Mapping[str, str]) -> dict[str, str]:
        tier = self._tier(key)
        stored = {"Storage-Class": tier} if tier else {}
        return {"Content-Type": "application/octet-stream", **stored, **metadata}

    def _create(self, key: str, body: bytes, sha256: str) -> None:
        attributes = self._attributes(key, {DIGEST: sha256})

        def work() -> None:
            obstore.put(
                self._store, key, body, mode="create", attributes=attributes, use_multipart=False
            )

        try:
            self._asked(BlobRequest("write", "create", key, creates=True), work)
        except (Taken, ObjectArchived):
            try:
                self._compare(key, sha256)
            except ObjectMissing:
                # Blocks that a killed upload never committed are in the way of a single request.
                self._create_in_blocks(key, [body] if body else [], sha256)

    def _create_in_blocks(self, key: str, chunks: Iterable[bytes], sha256: str) -> None:
        try:
            self._upload(key, sha256, {DIGEST: sha256}).run(self._usable(), chunks)
        except (Taken, ObjectArchived):
            try:
                self._compare(key, sha256)
            except ObjectMissing:
                raise in_vain(key) from None

    def _upload(
        self, key: str, sha256: str, metadata: Mapping[str, str], in_place: str | None = None
    ) -> BlockUpload:
        return BlockUpload(
            name=self._name(key),
            request=BlobRequest("write", "write", key, creates=in_place is None),
            sha256=sha256,
            metadata=metadata,
            access_tier=self._tier(key),
            patience=self._patience,
            now=self._now,
            in_place=in_place,
        )

    def _compare(self, key: str, sha256: str) -> None:
        """Raise ObjectConflict unless the blob is ours by its metadata or its bytes."""
        request = BlobRequest("read", "read", key)
        try:
            found = self._asked(request, lambda: obstore.get(self._store, key).attributes)
            same = found.get(DIGEST) == sha256 or self.sha256(key) == sha256
        except ObjectArchived:
            same = self._told_of(key).metadata.get(DIGEST) == sha256
        if not same:
            raise conflict(key)

    def _chunks(self, key: str) -> Iterator[bytes]:
        with named_errors(BlobRequest("read", "read", key), self._usable(), self._now):
            yield from obstore.get(self._store, key).stream()

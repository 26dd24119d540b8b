"""S3: a folder of a bucket (D8, seed 001).

obstore moves the bytes. A file is one create-only request, or above `AT_ONCE` bytes a multipart
upload after its key was looked for: no reader sees half an object, and none is ever replaced. Each
object carries our digest as metadata, so that telling ours from another's costs one request.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from cio_pipeline.destinations.answers import Request, Taken, conflict, in_vain, missing
from cio_pipeline.destinations.keys import JSON, is_for_everybody
from cio_pipeline.destinations.listing import folder, listed
from cio_pipeline.destinations.patience import Patience, keep_trying
from cio_pipeline.destinations.s3_errors import named_errors
from cio_pipeline.destinations.s3_objects import abort_leftovers, metadata_of, objects_below, upload
from cio_pipeline.destinations.s3_permissions import permissions
from cio_pipeline.destinations.s3_store import Clients, Keys, clients
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.destinations.spooled import AT_ONCE, copying, spooled, spooled_size
from cio_pipeline.files.names import check_key
from cio_pipeline.model.destinations import S3Destination
from cio_pipeline.model.errors import (
    CioError,
    ObjectArchived,
    ObjectMissing,
    PermissionMissing,
    Unreachable,
)
from cio_pipeline.model.objects import VALIDATE, ObjectInfo, Permission

if TYPE_CHECKING:
    from obstore import Attributes

DIGEST = "cio-sha256"
"""Name of the metadata that holds an object's digest."""


class S3Bucket:
    """A `Destination` in a bucket. The secrets are read whenever the store is asked something."""

    def __init__(
        self,
        options: S3Destination,
        read_secret: Callable[[str], str] = secret_of,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
    ) -> None:
        self.options = options
        self.patience = patience
        self._read_secret = read_secret

    def await_turn(self) -> None:
        """Objects may be put at any time."""

    def put(self, key: str, file: Path, sha256: str, *, synced: bool = False) -> None:  # noqa: ARG002 - of local disks
        """Create an object from a file; the same bytes count as success, others as conflict."""
        check_key(key)
        if spooled_size(key, file) <= AT_ONCE:
            self._create(key, b"".join(spooled(key, file, sha256)), sha256)
        else:
            self._until_there(lambda: self._create_in_parts(key, file, sha256))

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        self._create(check_key(key), body, hashlib.sha256(body).hexdigest())

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        return b"".join(self._chunks(key))

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""
        chunks = self._chunks(key)
        with copying(key), to.open("wb") as file:
            file.writelines(chunks)

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""
        digest = hashlib.sha256()
        for chunk in self._chunks(key):
            digest.update(chunk)
        return digest.hexdigest()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        if prefix:
            check_key(prefix)
        with named_errors(Request("list", "s3:ListBucket")):
            return listed(self.opened().store, prefix, lambda: self._objects(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""
        check_key(key)

        def remove() -> None:
            with named_errors(Request("delete", "s3:DeleteObject", key)):
                obstore.delete(self.opened().store, key)

        with suppress(ObjectMissing):
            self._until_there(remove)

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small object with metadata, in place of what lies there (M1, M4)."""
        check_key(key)

        def write() -> None:
            with named_errors(Request("write", "s3:PutObject", key)):
                obstore.put(
                    self.opened().store,
                    key,
                    body,
                    attributes=self.attributes(key, {"Content-Type": JSON, **metadata}),
                    use_multipart=False,
                )

        self._until_there(write)

    def make_durable(self, keys: Iterable[str]) -> None:
        """Nothing: a store answers once it keeps an object."""

    def replace(self, key: str, file: Path, sha256: str) -> None:
        """Write an object in place of what lies there; a bucket may keep the earlier version."""
        check_key(key)
        try:
            with named_errors(Request("read", "s3:GetObject", key)):
                told = obstore.get(self.opened().store, key).attributes
        except PermissionMissing as error:
            raise self._missing_or(error, key) from None
        known = {str(name): str(value) for name, value in told.items()}
        attributes = self.attributes(
            key, {**known, **({DIGEST: sha256} if DIGEST in known else {})}
        )

        def write() -> None:
            with named_errors(Request("write", "s3:PutObject", key)):
                upload(self.opened().store, key, spooled(key, file, sha256), attributes)

        self._until_there(write)

    def announce(self) -> None:
        """Write the empty `cio-validate`, which seed 001 describes, before a sync's files."""
        self.overwrite(VALIDATE, b"", {})

    def permissions(self) -> Sequence[Permission]:
        """Each permission of seed 001, and of what the options ask for; see s3_permissions."""
        trial = S3Bucket(self.options, self._read_secret, self.patience.for_a_trial())
        return permissions(trial)

    def describe(self) -> str:
        """Where this is, for people."""
        at = f" at {self.options.endpoint_url}" if self.options.endpoint_url else ""
        return f"s3://{'/'.join(filter(None, (self.options.bucket, self.options.path)))}{at}"

    def opened(self) -> Clients:
        """The bucket's store and client; raises SecretMissing, and what boto3 raises."""
        references = (
            self.options.access_key_id,
            self.options.secret_access_key,
            self.options.session_token,
        )
        keys = Keys(*(self._read_secret(one) if one else None for one in references))
        return clients(self.options, keys, self.patience)

    def name(self, key: str) -> str:
        """A key as the bucket knows it."""
        return f"{self.options.path}/{key}" if self.options.path else key

    def attributes(self, key: str, metadata: Mapping[str, str]) -> "Attributes":
        """An object's metadata and its storage class."""
        if is_for_everybody(key):
            return {**metadata}
        return {"Storage-Class": self.options.storage_class, **metadata}

    def _create(self, key: str, body: bytes, sha256: str) -> None:
        def create() -> None:
            if not self.options.conditional_puts and self._is_there(key):
                self._compare(key, sha256)
                return
            creates = self.options.conditional_puts
            with named_errors(Request("write", "s3:PutObject", key, creates)):
                obstore.put(
                    self.opened().store,
                    key,
                    body,
                    mode="create" if creates else "overwrite",
                    attributes=self.attributes(key, {DIGEST: sha256}),
                    use_multipart=False,
                )

        try:
            self._until_there(create)
        except Taken:
            self._compare(key, sha256)

    def _create_in_parts(self, key: str, file: Path, sha256: str) -> None:
        if self._is_there(key):
            self._compare(key, sha256)
            return
        abort_leftovers(self.opened().client(), self.options.bucket, self.name(key))
        with named_errors(Request("write", "s3:PutObject", key)):
            upload(
                self.opened().store,
                key,
                spooled(key, file, sha256),
                self.attributes(key, {DIGEST: sha256}),
            )

    def _until_there(self, write: Callable[[], None]) -> None:
        """Do it again if the answer was lost: of those, obstore itself repeats safe ones only."""
        keep_trying(self.patience, write, only=Unreachable)

    def _objects(self, prefix: str) -> Iterable[tuple[str, int]]:
        return objects_below(
            self.opened().client(),
            self.options.bucket,
            folder(self.options.path, prefix),
            len(self.name("")),
        )

    def _is_there(self, key: str) -> bool:
        """Whether an object lies under a key.

        Listed, not read: to whom only the sync's own folder may be listed, S3 answers a question
        for a missing object with "forbidden".
        """
        with named_errors(Request("list", "s3:ListBucket")):
            found = (
                self.opened()
                .client()
                .list_objects_v2(Bucket=self.options.bucket, Prefix=self.name(key), MaxKeys=1)
            )
        return any(one["Key"] == self.name(key) for one in found.get("Contents", ()))

    def _compare(self, key: str, sha256: str) -> None:
        """Raise ObjectConflict unless the object is ours by its metadata or its bytes.

        Raises DestinationUnavailable if there is none.
        """
        request = Request("read", "s3:GetObject", key)
        try:
            with named_errors(request):
                found = obstore.get(self.opened().store, key).attributes.get(DIGEST)
            same = (found or self.sha256(key)) == sha256
        except ObjectArchived:
            client, bucket = self.opened().client(), self.options.bucket
            with named_errors(request):
                same = metadata_of(client, bucket, self.name(key)).get(DIGEST) == sha256
        except ObjectMissing:
            raise in_vain(key) from None
        if not same:
            raise conflict(key)

    def _chunks(self, key: str) -> Iterable[bytes]:
        check_key(key)
        try:
            with named_errors(Request("read", "s3:GetObject", key)):
                yield from obstore.get(self.opened().store, key).stream()
        except PermissionMissing as error:
            raise self._missing_or(error, key) from None

    def _missing_or(self, error: CioError, key: str) -> CioError:
        try:
            return error if self._is_there(key) else missing(key)
        except CioError:
            return error

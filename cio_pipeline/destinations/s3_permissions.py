"""Trying out what credentials may do in a bucket (D8, seed 001).

The probe is `cio-validate`, the empty object that a sync writes anyway: who may not delete it has
lost nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import obstore

from cio_pipeline.destinations.answers import Request, Taken
from cio_pipeline.destinations.probe import lacking, tried
from cio_pipeline.destinations.s3_errors import named_errors
from cio_pipeline.destinations.s3_store import Clients
from cio_pipeline.model.destinations import S3Destination
from cio_pipeline.model.errors import CioError, DestinationError, PermissionMissing
from cio_pipeline.model.objects import VALIDATE, Permission


class ProbedBucket(Protocol):
    """What is tried out, of a bucket as destination."""

    @property
    def options(self) -> S3Destination:
        """The sync's options."""
        ...

    def opened(self) -> Clients:
        """Its store and client."""
        ...

    def name(self, key: str) -> str:
        """The whole name of a key."""
        ...

    def announce(self) -> None:
        """Put `cio-validate`."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object."""
        ...


def permissions(bucket: ProbedBucket) -> Sequence[Permission]:
    """Each permission that a sync needs; one line if the credentials or the bucket are wrong."""
    try:
        with named_errors(Request("use", "sts:AssumeRole")):
            bucket.opened().client()
    except CioError as error:
        name = "sts:AssumeRole" if isinstance(error, PermissionMissing) else "credentials"
        return (lacking(name, "everything", error, "all"),)
    put = tried("s3:PutObject", "every file", bucket.announce, "all")
    if not put.granted and not put.detail.endswith(("s3:PutObject.", "kms:GenerateDataKey.")):
        # Nothing else can be told: a wrong key, no such bucket, no network.
        return (replace(put, name="reach the bucket", needed_for="everything"),)
    return tuple(_all(bucket, put))


def _all(bucket: ProbedBucket, put: Permission) -> Iterator[Permission]:
    options = bucket.options
    yield from _written(put, kms=options.encryption == "SSE-KMS")
    yield _after(put, _read(bucket))
    yield _listed(
        bucket, "s3:ListBucket", "verify, restore, large files", "list_objects_v2", "files"
    )
    yield _listed(
        bucket, "s3:ListBucketVersions", "asked for by seed 001", "list_object_versions", "files"
    )
    yield _listed(
        bucket,
        "s3:ListBucketMultipartUploads",
        "clearing what killed uploads left",
        "list_multipart_uploads",
        "none",
    )
    yield _after(put, tried("s3:AbortMultipartUpload", "the same", _aborted(bucket), "none"))
    if options.conditional_puts:
        yield _after(put, tried("create-only puts", "never overwriting", _created(bucket), "files"))
    yield tried("s3:DeleteObject", "purge", lambda: bucket.delete(VALIDATE), "none")


def _written(put: Permission, *, kms: bool) -> Iterator[Permission]:
    """The put, and apart from it the right to use the key that it was encrypted with."""
    denied_by_kms = "kms:" in put.detail
    yield replace(put, granted=None, next_step="") if denied_by_kms else put
    if kms or denied_by_kms:
        name, needed_for = "kms:GenerateDataKey", "every file, encrypted with SSE-KMS"
        if put.granted or denied_by_kms:
            yield replace(put, name=name, needed_for=needed_for)
        else:
            yield Permission(name, granted=None, needed_for=needed_for, needed_by="all")


def _after(put: Permission, found: Permission) -> Permission:
    """What was tried on the probe tells nothing if the probe could not be put."""
    if put.granted or found.granted:
        return found
    return replace(found, granted=None, detail="Told once s3:PutObject is there.", next_step="")


def _read(bucket: ProbedBucket) -> Permission:
    return tried("s3:GetObject", "verify, restore, runs after a crash", lambda: _get(bucket))


def _get(bucket: ProbedBucket) -> object:
    with named_errors(Request("read", "s3:GetObject", VALIDATE)):
        return obstore.get(bucket.opened().store, VALIDATE).bytes()


def _listed(
    bucket: ProbedBucket, action: str, needed_for: str, call: str, needed_by: Any
) -> Permission:
    """An action of listing, on the sync's folder only."""
    prefix = f"{bucket.options.path}/" if bucket.options.path else ""
    # One upload or version is enough to tell.
    most = {"MaxUploads": 1} if "uploads" in call else {"MaxKeys": 1}

    def ask() -> None:
        with named_errors(Request("list", action)):
            client = bucket.opened().client()
            getattr(client, call)(Bucket=bucket.options.bucket, Prefix=prefix, **most)

    return tried(action, needed_for, ask, needed_by)


def _aborted(bucket: ProbedBucket) -> Callable[[], None]:
    def abort() -> None:
        client, name = bucket.opened().client(), bucket.name(VALIDATE)
        where = {"Bucket": bucket.options.bucket, "Key": name}
        with named_errors(Request("begin an upload of", "s3:PutObject", VALIDATE)):
            upload = client.create_multipart_upload(**where)["UploadId"]
        with named_errors(Request("abort an upload of", "s3:AbortMultipartUpload", VALIDATE)):
            client.abort_multipart_upload(**where, UploadId=upload)

    return abort


def _created(bucket: ProbedBucket) -> Callable[[], None]:
    def create() -> None:
        try:
            with named_errors(Request("create", "s3:PutObject", VALIDATE, creates=True)):
                obstore.put(
                    bucket.opened().store, VALIDATE, b"", mode="create", use_multipart=False
                )
        except Taken:
            return
        raise DestinationError(
            "The store overwrites an object though it is asked not to (If-None-Match).",
            "Set the sync's `conditional_puts: false`: keys are then looked for first.",
        )

    return create

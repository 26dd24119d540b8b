"""What S3 answers and what becomes of it, and what no other store has (D8, seed 001)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cio_pipeline.destinations.s3 import S3Bucket
from cio_pipeline.destinations.spooled import AT_ONCE
from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    DestinationError,
    NoSuchBucket,
    ObjectConflict,
    PermissionMissing,
    SecretMissing,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline_tests.destinations.cloud_suite import PATIENCE
from cio_pipeline_tests.destinations.fault_proxy import Fault, FaultProxy, proxy_before
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server, s3
from cio_pipeline_tests.destinations.suite import digest
from cio_pipeline_tests.destinations.test_s3 import answer


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server) -> str:
    return server.bucket()


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with proxy_before(server.url) as proxy:
        yield proxy


LOCKED = "<Message>x-amz-checksum- HTTP header is required for requests with Object Lock</Message>"
KMS = "<Message>User is not authorized to perform: kms:GenerateDataKey on this resource</Message>"


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (answer(403, "SignatureDoesNotMatch"), WrongCredentials, "right keys"),
        (answer(403, "RequestTimeTooSkewed"), WrongCredentials, "Set the clock"),
        (answer(400, "ExpiredToken"), CredentialsExpired, "new temporary keys"),
        (answer(400, "InvalidToken"), WrongCredentials, "right keys"),
        (answer(403, "AccessDenied"), PermissionMissing, "s3:PutObject"),
        (answer(403, "AccessDenied", KMS), PermissionMissing, "kms:GenerateDataKey"),
        (answer(400, "KMS.DisabledException"), DestinationError, "kms_key_id"),
        (answer(301, "PermanentRedirect"), NoSuchBucket, "region"),
        (
            answer(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"),
            NoSuchBucket,
            "in eu-north-1",
        ),
        (answer(501, "NotImplemented"), DestinationError, "when_required"),
        # What is no S3 store: a web server, a proxy.
        (Fault(answer=(404, "<html>Not found</html>")), NoSuchBucket, "endpoint_url"),
        (Fault(answer=(200, "<html>Welcome</html>")), Unreachable, "is no S3 store"),
        (answer(405, "MethodNotAllowed"), DestinationError, "405 MethodNotAllowed"),
        (Fault(answer=(405, "")), DestinationError, r"answered 405\. Look"),
        (
            Fault(
                answer=(302, "<html>Log in</html>"), headers={"Location": "https://login.example"}
            ),
            DestinationError,
            "elsewhere .302.*endpoint_url",
        ),
        (answer(400, "InvalidRequest", LOCKED), DestinationError, "checksums: when_supported"),
    ],
)
def test_d8_answers_are_told_apart(
    server: S3Server, proxy: FaultProxy, fault: Fault, error: type[CioError], told: str
) -> None:
    proxy.lasting = fault
    with pytest.raises(error, match=told) as caught:
        s3(server.options("acme-data", proxy.url), patience=PATIENCE).put_bytes("a", b"body")
    assert type(caught.value) is error
    assert caught.value.next_step
    assert caught.value.__suppress_context__
    assert not any(secret in str(caught.value) for secret in (KEY_ID, SECRET))


def test_d8_a_concurrent_conditional_put_is_tried_again(
    server: S3Server, bucket: str, proxy: FaultProxy
) -> None:
    proxy.fail(answer(409, "ConditionalRequestConflict"))
    destination = s3(server.options(bucket, proxy.url), patience=PATIENCE)
    destination.put_bytes("a", b"body")
    assert destination.get("a") == b"body"


def test_d8_a_store_that_does_not_answer_is_not_tried_for_long(
    server: S3Server, bucket: str, proxy: FaultProxy
) -> None:
    proxy.lasting = Fault(reset=True)
    (only,) = s3(server.options(bucket, proxy.url)).permissions()
    assert len(proxy.paths) <= 4
    assert (only.name, only.granted, only.needed_by) == ("reach the bucket", False, "all")
    assert "the connection was reset" in only.detail
    assert only.next_step


def test_d8_a_missing_secret_is_named_when_it_is_needed() -> None:
    options = S3Server("http://127.0.0.1:9").options("acme-data", access_key_id="env:NOT_SET")
    destination = S3Bucket(options)
    assert destination.describe().startswith("s3://acme-data/customerio/prod")
    with pytest.raises(SecretMissing, match="NOT_SET"):
        destination.put_bytes("a", b"")
    (only,) = destination.permissions()
    assert (only.granted, only.needed_by) == (False, "all")
    assert "NOT_SET" in only.detail


def test_d8_an_empty_object_announces_a_run(server: S3Server, bucket: str) -> None:
    destination = s3(server.options(bucket))
    for _ in range(2):
        destination.announce()
    head = server.admin.head_object(Bucket=bucket, Key="customerio/prod/cio-validate")
    assert head["ContentLength"] == 0


@pytest.mark.parametrize("size", [10, AT_ONCE + 1])
def test_m3_options_reach_the_object(
    server: S3Server, bucket: str, tmp_path: Path, size: int
) -> None:
    fields = {"storage_class": "STANDARD_IA", "encryption": "SSE-KMS", "kms_key_id": "a-key"}
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    sealed = digest(file.read_bytes())
    s3(server.options(bucket, **fields)).put("a", file, sealed)
    head = server.admin.head_object(Bucket=bucket, Key="customerio/prod/a")
    assert head["StorageClass"] == "STANDARD_IA"
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "a-key")
    assert head["Metadata"] == {"cio-sha256": sealed}


def test_m1_metadata_of_messages(server: S3Server, bucket: str) -> None:
    s3(server.options(bucket)).overwrite("m", b"{}", {"event-id": "e1"})
    head = server.admin.head_object(Bucket=bucket, Key="customerio/prod/m")
    assert head["Metadata"] == {"event-id": "e1"}


def test_d8_an_object_without_our_digest_is_ours_by_its_bytes(
    server: S3Server, bucket: str
) -> None:
    server.admin.put_object(Bucket=bucket, Key="customerio/prod/a", Body=b"body")
    destination = s3(server.options(bucket))
    destination.put_bytes("a", b"body")
    with pytest.raises(ObjectConflict):
        destination.put_bytes("a", b"other")


def test_d8_stores_that_ignore_conditions_are_asked_first(server: S3Server, bucket: str) -> None:
    destination = s3(server.options(bucket, conditional_puts=False))
    for _ in range(2):
        destination.put_bytes("a", b"body")
    with pytest.raises(ObjectConflict):
        destination.put_bytes("a", b"other")
    assert destination.get("a") == b"body"


def test_d8_a_large_file_in_a_taken_place_is_a_conflict(
    server: S3Server, bucket: str, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(AT_ONCE + 1))
    destination = s3(server.options(bucket))
    destination.put_bytes("a", b"mine")
    with pytest.raises(ObjectConflict):
        destination.put("a", file, digest(file.read_bytes()))
    assert destination.get("a") == b"mine"


def test_d8_uploads_of_killed_runs_are_cleared_by_the_next_put_of_the_key(
    server: S3Server, bucket: str, tmp_path: Path
) -> None:
    for key in ("a", "a-other"):
        server.admin.create_multipart_upload(Bucket=bucket, Key=f"customerio/prod/{key}")
    file = tmp_path / "large"
    file.write_bytes(os.urandom(AT_ONCE + 1))
    s3(server.options(bucket)).put("a", file, digest(file.read_bytes()))
    left = server.admin.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert [one["Key"] for one in left] == ["customerio/prod/a-other"]


def test_d8_a_role_is_assumed_with_its_external_id(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    fields = {"role_arn": "arn:aws:iam::123456789012:role/data-out", "external_id": "acme-42"}
    destination = s3(server.options(bucket, **fields))
    destination.put_bytes("a", b"body")
    assert destination.get("a") == b"body"
    assert all(one.granted for one in destination.permissions())


def test_d8_certificates_that_the_environment_misnames_are_no_unknown_name(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "")
    found = s3(server.options("any-bucket")).permissions()[0]
    assert found.granted is False
    assert "AWS_CA_BUNDLE" in found.detail
    assert "unknown" not in found.detail


def test_d8_no_credentials_at_all_are_named(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    options = server.options(bucket, access_key_id=None, secret_access_key=None)
    with pytest.raises(WrongCredentials, match="ambient AWS chain") as caught:
        S3Bucket(options).put_bytes("a", b"")
    assert caught.value.next_step
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    S3Bucket(options).put_bytes("a", b"")

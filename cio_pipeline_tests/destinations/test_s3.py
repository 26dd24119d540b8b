"""S3, against moto's server (D8)."""

from collections.abc import Iterator

import pytest

from cio_pipeline.ports import Destination
from cio_pipeline_tests.destinations.cloud_suite import IMPATIENT, PATIENCE, CloudSuite
from cio_pipeline_tests.destinations.fault_proxy import Fault, FaultProxy, proxy_before
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server, s3


def answer(status: int, code: str, more: str = "") -> Fault:
    return Fault(answer=(status, f"<Error><Code>{code}</Code><Message>no</Message>{more}</Error>"))


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


@pytest.fixture
def proxied(server: S3Server, bucket: str, proxy: FaultProxy) -> Destination:
    return s3(server.options(bucket, proxy.url), patience=PATIENCE)


class TestS3Bucket(CloudSuite):
    @pytest.fixture
    def impatient(self, server: S3Server, bucket: str, proxy: FaultProxy) -> Destination:
        return s3(server.options(bucket, proxy.url), patience=IMPATIENT)

    @pytest.fixture
    def destination(self, server: S3Server, bucket: str) -> Destination:
        return s3(server.options(bucket))

    @pytest.fixture
    def forbidden(self, proxy: FaultProxy, proxied: Destination) -> Destination:
        proxy.lasting = answer(403, "AccessDenied")
        return proxied

    @pytest.fixture
    def wrong_key(self, proxy: FaultProxy, proxied: Destination) -> Destination:
        proxy.lasting = answer(403, "InvalidAccessKeyId")
        return proxied

    @pytest.fixture
    def nowhere(self, server: S3Server) -> Destination:
        return s3(server.options("there-is-no-such-bucket"))

    @pytest.fixture
    def throttling(self) -> Fault:
        return answer(503, "SlowDown")

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [KEY_ID, SECRET]

    odd_keys = ("a//b", "/lead", "./b", "../b", "a\x01b", "x//", "a\\b", "%2F", "é b")

    def put_foreign(self, destination: Destination, key: str, body: bytes) -> None:
        destination.opened().client().put_object(  # type: ignore[attr-defined]
            Bucket=destination.options.bucket,  # type: ignore[attr-defined]
            Key=destination.name("") + key,  # type: ignore[attr-defined]
            Body=body,
        )

    def leave_unfinished(self, destination: Destination, key: str) -> None:
        opened = destination.opened()  # type: ignore[attr-defined]
        opened.client().create_multipart_upload(
            Bucket=destination.options.bucket,  # type: ignore[attr-defined]
            Key=destination.name(key),  # type: ignore[attr-defined]
        )

"""Azure Blob Storage passes the suite, on Azurite (D8)."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from cio_pipeline.destinations.azure import AzureContainer
from cio_pipeline.destinations.azure_control import block_name, container_client
from cio_pipeline.destinations.patience import Patience
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.ports import Destination
from cio_pipeline_tests.azurite import KEY, Azurite, Container
from cio_pipeline_tests.destinations.cloud_suite import IMPATIENT, PATIENCE, CloudSuite
from cio_pipeline_tests.destinations.fault_proxy import Fault, FaultProxy, proxy_before
from cio_pipeline_tests.destinations.suite import digest

OTHER_KEY = base64.b64encode(b"another key" * 6).decode()
PATH = "customerio/a b"


def azure(
    url: str, path: str = PATH, patience: Patience = PATIENCE, **options: Any
) -> AzureContainer:
    """A destination whose secret is given."""
    chosen = AzureDestination(type="azure", sas_url="env:ACME_SAS_URL", path=path, **options)
    return AzureContainer(chosen, lambda _: url, patience)


def through(proxy: FaultProxy, url: str) -> str:
    """A container's URL by way of the proxy."""
    return url.replace(url.split("/")[2], proxy.url.partition("//")[2])


class TestAzureContainer(CloudSuite):
    @pytest.fixture
    def url(self, container: Container) -> str:
        return container.sas_url("racwdl")

    @pytest.fixture
    def destination(self, url: str) -> Destination:
        return azure(url)

    @pytest.fixture
    def forbidden(self, container: Container) -> Destination:
        return azure(container.sas_url("rl"))

    @pytest.fixture
    def wrong_key(self, container: Container) -> Destination:
        return azure(container.sas_url("racwdl", key=OTHER_KEY))

    @pytest.fixture
    def nowhere(self, azurite: Azurite) -> Destination:
        return azure(Container(azurite.url, "no-such-container").sas_url("racwdl"))

    @pytest.fixture
    def proxy(self, azurite: Azurite) -> Iterator[FaultProxy]:
        with proxy_before(azurite.url) as found:
            yield found

    @pytest.fixture
    def proxied(self, proxy: FaultProxy, url: str) -> Destination:
        return azure(through(proxy, url))

    @pytest.fixture
    def impatient(self, proxy: FaultProxy, url: str) -> Destination:
        return azure(through(proxy, url), patience=IMPATIENT)

    @pytest.fixture
    def throttling(self) -> Fault:
        text = "<Error><Code>ServerBusy</Code><Message>The server is busy.</Message></Error>"
        return Fault(answer=(503, text), headers={"x-ms-error-code": "ServerBusy"})

    @pytest.fixture
    def secrets(self, url: str) -> list[str]:
        return [KEY, url.partition("?")[2], url.partition("sig=")[2]]

    odd_keys = ("a//b", "/lead", "a\nb", "x//", "%2F", "é b")

    def put_foreign(self, destination: Destination, key: str, body: bytes) -> None:
        assert isinstance(destination, AzureContainer)
        with container_client(destination._sas) as client:
            client.upload_blob(f"{PATH}/{key}", body)

    def leave_unfinished(self, destination: Destination, key: str) -> None:
        assert isinstance(destination, AzureContainer)
        with container_client(destination._sas) as client:
            blob = client.get_blob_client(f"{PATH}/{key}")
            blob.stage_block(block_name(digest(b"killed"), 0), b"bo")

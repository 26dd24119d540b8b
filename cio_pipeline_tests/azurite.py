"""A private Azurite in memory, for tests that need Azure Blob Storage.

It has one account, whose name and key all emulators share; each test gets a container of its own.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from azure.storage.blob import AccessPolicy, BlobServiceClient, ContainerClient
from azure.storage.blob import generate_container_sas as signed

from cio_pipeline_tests.cores import all_cores

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
FIVE = "racwl"
"""The rights of seed 004."""

PROGRAM = Path(__file__).parents[1] / ".servers/azurite/node_modules/.bin/azurite-blob"
OPTIONS = ["--skipApiVersionCheck", "--inMemoryPersistence", "--silent", "--disableTelemetry"]


@dataclass(frozen=True)
class Azurite:
    """A running server; `url` is that of its account."""

    url: str
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def new_container(self) -> "Container":
        """A fresh, empty container."""
        container = Container(self.url, f"container-{next(self.names)}")
        container.client().create_container()
        return container


@dataclass(frozen=True)
class Container:
    """A container, as its owner sees it."""

    account_url: str
    name: str

    def client(self) -> ContainerClient:
        service = BlobServiceClient(self.account_url, credential=KEY)
        return service.get_container_client(self.name)

    def sas_url(
        self,
        rights: str = FIVE,
        days: float = 365,
        start: datetime | None = None,
        key: str = KEY,
        account_url: str = "",
    ) -> str:
        """A SAS URL with its own rights and expiry."""
        end = datetime.now(UTC) + timedelta(days=days)
        token = signed(ACCOUNT, self.name, key, permission=rights, expiry=end, start=start)
        return f"{account_url or self.account_url}/{self.name}?{token}"

    def policy_url(self, policy: str) -> str:
        """A SAS URL that rests on a stored access policy."""
        token = signed(ACCOUNT, self.name, KEY, policy_id=policy)
        return f"{self.account_url}/{self.name}?{token}"

    def set_policy(self, policy: str, rights: str, days: float = 3650) -> None:
        """Make the container's only stored access policy."""
        start = datetime.now(UTC) - timedelta(minutes=5)
        end = datetime.now(UTC) + timedelta(days=days)
        found = AccessPolicy(permission=rights, start=min(start, end), expiry=end)
        self.client().set_container_access_policy({policy: found})

    def revoke(self) -> None:
        """Remove all stored access policies."""
        self.client().set_container_access_policy({})


@contextmanager
def running_azurite() -> Iterator[Azurite]:
    """Start a server on a free port, and stop it at the end."""
    if not PROGRAM.exists():
        pytest.fail("These tests need Azurite: run `make servers`.", pytrace=False)
    with (
        tempfile.TemporaryDirectory(prefix="cio-azurite-") as folder,
        all_cores(),
        subprocess.Popen(
            [PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", "0", *OPTIONS],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield Azurite(f"{_address(process.stdout)}/{ACCOUNT}")
        finally:
            process.terminate()


def _address(output: IO[str]) -> str:
    """Where the server says that it listens; it is silent from then on."""
    said = ""
    for line in output:
        said += line
        if found := re.search(r"listens on (http://\S+)", line):
            return found[1]
    pytest.fail(f"Azurite did not start: {said}", pytrace=False)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One server for the whole session."""
    with running_azurite() as server:
        yield server


@pytest.fixture
def container(azurite: Azurite) -> Container:
    """An empty container."""
    return azurite.new_container()

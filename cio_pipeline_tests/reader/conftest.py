"""A bucket with three manifests, stores that it can lie in, and a warehouse in memory."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pytest

from cio_pipeline.ports import Destination
from cio_pipeline.reader.places import open_of
from cio_pipeline.reader.warehouse import database
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server
from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket

Store: TypeAlias = Callable[[Bucket], Destination]
"""Puts a bucket's objects where they are read from; a folder is read where it lies."""


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return whole_bucket(tmp_path)


@pytest.fixture
def db() -> Iterator[Any]:
    with closing(duckdb.connect()) as connection:
        database.prepare(connection)
        yield connection


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture
def s3_place(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An empty bucket, as a sync file writes it."""
    monkeypatch.setenv("S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("S3_SECRET", SECRET)
    return s3_server.options(s3_server.bucket()).model_dump(mode="json")


@pytest.fixture
def azure_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An empty container, as a sync file writes it."""
    container = request.getfixturevalue("azurite").new_container()
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("racwdl"))
    return {"type": "azure", "sas_url": "env:AZURE_STORAGE_SAS_URL", "path": "customerio"}


def put_all(bucket: Bucket, store: Destination) -> None:
    """The same objects in a store."""
    for path in sorted(path for path in bucket.root.rglob("*") if path.is_file()):
        store.put_bytes(path.relative_to(bucket.root).as_posix(), path.read_bytes())


@pytest.fixture(params=["local", "s3", "azure"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store, fresh for each test."""
    if request.param == "local":
        return lambda bucket: open_of(bucket.root)
    destination = open_of(request.getfixturevalue(f"{request.param}_place"))

    def put(bucket: Bucket) -> Destination:
        put_all(bucket, destination)
        return destination

    return put

"""D8: a feed is read from S3 and Azure as from a folder, by URL or as a sync file writes it."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polars.testing import assert_frame_equal

from cio_pipeline.model.errors import (
    InvalidConfig,
    PermissionMissing,
    SecretMissing,
)
from cio_pipeline.reader import Feed, copies
from cio_pipeline.reader.places import open_of
from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.azurite import Azurite, azurite
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server
from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket

__all__ = ["azurite"]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return whole_bucket(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


def put_all(bucket: Bucket, place: Mapping[str, Any]) -> None:
    """The same objects in a store."""
    store = open_of(place)
    for path in sorted(path for path in bucket.root.rglob("*") if path.is_file()):
        store.put_bytes(path.relative_to(bucket.root).as_posix(), path.read_bytes())


def same(feed: Feed, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables are those of the folder; copies are let go as others come."""
    monkeypatch.setattr(copies, "ROOM", 1)
    local = Feed(bucket.root)
    for name in ("people", "metrics", "actions"):
        assert_frame_equal(feed.table(name).collect(), local.table(name).collect())
        assert_frame_equal(feed.changes(name).collect(), local.changes(name).collect())
    assert feed.verify().ok
    with closing(duckdb.connect()) as db:
        database.prepare(db)
        assert load(db, feed.destination).rows == 24
        assert db.execute("SELECT count(*) FROM acme.people_newest").fetchall() == [(3,)]


def test_d8_s3_by_url_with_the_ambient_keys_and_as_a_destination(
    bucket: Bucket, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("S3_SECRET", SECRET)
    name = server.bucket()
    options = server.options(name).model_dump(mode="json")
    put_all(bucket, options)
    same(Feed(options), bucket, monkeypatch)
    ambient = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": "eu-west-1",
    }
    for key, value in ambient.items():
        monkeypatch.setenv(key, value)
    same(Feed(f"s3://{name}/customerio/prod"), bucket, monkeypatch)


def test_d8_azure_with_a_sas_from_the_environment(
    bucket: Bucket, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azurite.new_container()
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("racwl"))
    place = {"type": "azure", "sas_url": "env:AZURE_STORAGE_SAS_URL", "path": "customerio"}
    put_all(bucket, place)
    same(Feed(place), bucket, monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("rl"))
    same(Feed(f"az://{container.name}/customerio"), bucket, monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("r"))
    with pytest.raises(PermissionMissing, match="list"):
        Feed(f"az://{container.name}/customerio").files()


@pytest.mark.parametrize(
    ("place", "kind", "says"),
    [
        ("ftp://host/path", InvalidConfig, "no place that can be read"),
        ("s3://bucket/path?key=secret", InvalidConfig, "belong into the environment"),
        ("s3://Bucket_1/path", InvalidConfig, "bucket name"),
        ({"type": "s3"}, InvalidConfig, "bucket"),
        ({"type": "tape"}, InvalidConfig, "place"),
        ("az://container/path", SecretMissing, "no SAS"),
    ],
)
def test_a_place_that_is_none_is_named_without_its_secrets(
    place: Any, kind: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_STORAGE_SAS_URL", "AZURE_STORAGE_SAS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(kind, match=says) as caught:
        Feed(place).files()
    assert "secret" not in str(caught.value)

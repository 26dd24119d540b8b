"""D8: a feed is read from S3 and Azure as from a folder, by URL or as a sync file writes it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.destinations.s3 import S3Bucket
from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    FileAltered,
    InvalidConfig,
    ManifestBroken,
    NoSuchBucket,
    ObjectMissing,
    PermissionMissing,
    SecretMissing,
    Throttled,
    Unreachable,
)
from cio_pipeline.model.manifests import ACKNOWLEDGED, manifest_key
from cio_pipeline.ports import Destination
from cio_pipeline.reader import Feed, copies
from cio_pipeline.reader.places import open_of
from cio_pipeline.reader.warehouse import database
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.azurite import Azurite
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server
from cio_pipeline_tests.destinations.test_s3_policy import armed, limited
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket
from cio_pipeline_tests.reader.compared import ordered, rows
from cio_pipeline_tests.reader.conftest import Store, put_all
from cio_pipeline_tests.reader.troubles import TROUBLES, Trouble


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
    bucket: Bucket,
    s3_server: S3Server,
    s3_place: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_all(bucket, open_of(s3_place))
    same(Feed(s3_place), bucket, monkeypatch)
    ambient = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_REGION": "eu-west-1",
    }
    for key, value in ambient.items():
        monkeypatch.setenv(key, value)
    same(Feed(f"s3://{s3_place['bucket']}/customerio/prod"), bucket, monkeypatch)


def test_d8_azure_with_a_sas_from_the_environment(
    bucket: Bucket, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azurite.new_container()
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("racwl"))
    place = {"type": "azure", "sas_url": "env:AZURE_STORAGE_SAS_URL", "path": "customerio"}
    put_all(bucket, open_of(place))
    same(Feed(place), bucket, monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("rl"))
    same(Feed(f"az://{container.name}/customerio"), bucket, monkeypatch)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.name)
def test_what_is_wrong_is_named_and_nothing_is_loaded_by_halves(
    bucket: Bucket, store: Store, db: Any, trouble: Trouble
) -> None:
    """In each store; earlier manifests can still be read, and are loaded."""
    trouble.do(bucket)
    place = store(bucket)
    with pytest.raises(trouble.kind, match=trouble.says) as caught:
        Feed(place).changes("people").collect()
    assert caught.value.next_step or "." in caught.value.message
    if trouble.good and trouble.kind is ManifestBroken:
        assert Feed(place).table("people", as_of=trouble.good).collect().height == 3
    with pytest.raises(trouble.kind, match=trouble.says):
        load(db, place)
    loaded = db.execute("SELECT coalesce(max(ordinal), 0) FROM _cio.manifests").fetchall()[0][0]
    assert loaded in {0, trouble.good}
    if loaded:
        assert trouble.kind is ManifestBroken
        good = Feed(place).changes("people", as_of=trouble.good).collect()
        assert_frame_equal(rows(db, "acme.people"), ordered(good))


class Hasty:
    """A store in which another writer is faster than who reads its files."""

    def __init__(self, store: Destination, do: Callable[[], None]) -> None:
        self._store, self._do = store, do

    def __getattr__(self, name: str) -> Any:
        if name == "download":
            self._do()
        return getattr(self._store, name)


@pytest.mark.parametrize("store", ["s3", "azure"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "says"), [(FileAltered, "does not hold what"), (ObjectMissing, "is gone")]
)
def test_a_store_that_changes_while_it_is_read_is_named_and_loaded_once_it_is_whole(
    bucket: Bucket, store: Store, db: Any, kind: type[CioError], says: str
) -> None:
    place = store(bucket)

    def change() -> None:
        # In one step: another thread may be reading it.
        if kind is FileAltered:
            place.overwrite(PEOPLE_2, b"PAR1", {})
        else:
            place.delete(PEOPLE_2)

    hasty: Any = Hasty(place, change)
    with pytest.raises(kind, match=f"'{PEOPLE_2}' {says}.*read again in a minute"):
        load(db, hasty)
    feed = Feed(place)
    with pytest.raises(kind, match=f"'{PEOPLE_2}' {says}"):
        feed.table("people").collect()
    assert db.execute("SELECT count(*) FROM _cio.manifests").fetchall() == [(0,)]
    place.delete(PEOPLE_2)
    place.put_bytes(PEOPLE_2, (bucket.root / PEOPLE_2).read_bytes())
    assert feed.changes("people").collect().height == 12
    assert load(db, place).rows == 24


RIGHTS = {"list": "s3:ListBucket", "read": "s3:GetObject"}


def without(server: S3Server, bucket: str, lacking: str) -> S3Bucket:
    """A bucket with a key that holds one right less than reading takes."""
    others = [action for right, action in RIGHTS.items() if right != lacking]
    statement = {"Effect": "Allow", "Action": others, "Resource": "*"}
    return limited(server, bucket, {"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize("lacking", RIGHTS)
def test_o4_a_right_that_reading_lacks_is_named_on_s3(
    bucket: Bucket, s3_server: S3Server, s3_place: dict[str, Any], db: Any, lacking: str
) -> None:
    put_all(bucket, open_of(s3_place))
    found = without(s3_server, s3_place["bucket"], lacking)
    with armed(s3_server):
        _refused(found, db, RIGHTS[lacking])


@pytest.mark.parametrize(("lacking", "rights"), [("list", "r"), ("read", "l")])
def test_o4_a_right_that_reading_lacks_is_named_on_azure(  # noqa: PLR0917
    bucket: Bucket,
    azurite: Azurite,
    db: Any,
    monkeypatch: pytest.MonkeyPatch,
    rights: str,
    lacking: str,
) -> None:
    container = azurite.new_container()
    place = f"az://{container.name}"
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url())
    put_all(bucket, open_of(place))
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url(rights))
    _refused(open_of(place), db, f"'{lacking}'")


def _refused(place: Destination, db: Any, says: str) -> None:
    for read in (lambda: Feed(place).files(), lambda: load(db, place)):
        with pytest.raises(PermissionMissing, match=says) as caught:
            read()
        assert caught.value.next_step
    assert db.execute("SELECT count(*) FROM _cio.manifests").fetchall() == [(0,)]


@pytest.mark.parametrize("error", [Unreachable, Throttled, CredentialsExpired])
def test_an_error_of_the_store_is_no_broken_chain(
    bucket: Bucket, db: Any, error: type[CioError]
) -> None:
    """Whatever holds for a retry, and which step comes next, is the error's own."""

    class Cut:
        """A store whose line breaks when the second manifest is read."""

        def get(self, key: str) -> bytes:
            if key == manifest_key(2):
                raise error("No answer.", "Wait.")
            return bucket.folder.get(key)

        def __getattr__(self, name: str) -> Any:
            return getattr(bucket.folder, name)

    cut: Any = Cut()
    for read in (lambda: Feed(cut).files(), lambda: load(db, cut)):
        with pytest.raises(error, match="No answer"):
            read()
    assert load(db, bucket.root).rows == 24


def test_o4_a_bucket_that_is_not_there_is_named(db: Any, s3_place: dict[str, Any]) -> None:
    with pytest.raises(NoSuchBucket):
        load(db, {**s3_place, "bucket": "nobody-made-this-one"})


def test_o6_what_is_loaded_is_acknowledged_in_a_store_if_that_may_be_written(
    bucket: Bucket, azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azurite.new_container()
    place = f"az://{container.name}"
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url())
    put_all(bucket, open_of(place))
    command = ["warehouse", "load", place, "--into", str(tmp_path / "w.duckdb"), "--acknowledge"]
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("rl"))
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 1
    assert "lacks the right 'write'" in " ".join(found.output.split())
    assert "1 to 3" in found.stdout, "it is loaded all the same"
    monkeypatch.setenv("AZURE_STORAGE_SAS_URL", container.sas_url("rlw"))
    assert CliRunner().invoke(app, command).exit_code == 0
    assert open_of(place).get(ACKNOWLEDGED) == b"3"


@pytest.mark.parametrize(
    ("place", "kind", "says"),
    [
        ("ftp://host/path", InvalidConfig, "no place that can be read"),
        ("s3://bucket/path?key=secret", InvalidConfig, "belong into the environment"),
        ("s3://Bucket_1/path", InvalidConfig, "bucket name"),
        ({"type": "s3"}, InvalidConfig, "bucket"),
        ({"type": "tape"}, InvalidConfig, "place"),
        ("az://container/path", SecretMissing, "no SAS"),
        ("s3://[secret/path", InvalidConfig, "cannot be understood"),
        ("s3://secret\N{ACCOUNT OF}/path", InvalidConfig, "cannot be understood"),
        ("secret" * 1000, InvalidConfig, "File name too long"),
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

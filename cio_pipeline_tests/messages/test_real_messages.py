"""M1, M3: real messages go to every store and come back, body and metadata, byte for byte."""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.files.message_keys import compile_template
from cio_pipeline.files.message_objects import MessageObject, as_object, read_message
from cio_pipeline.model.json_text import fields
from cio_pipeline.ports import Destination
from cio_pipeline.sources.message_lines import MessageLines
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.azurite import Container
from cio_pipeline_tests.destinations.servers import S3Server, moto_server, s3
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.world import World, during

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIO_REAL_DATA", ROOT.parent / "shared" / "data"))
FILES = sorted((DATA / "messages").glob("*.ndjson"))

pytestmark = pytest.mark.skipif(not FILES, reason="the real messages are not part of the project")


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    found = MessageLines(1, during(0))
    rows = pl.concat(batch for file in FILES for batch in found.read(file))
    assert found.bad == []
    return rows


@pytest.fixture(scope="module")
def expected(lines: pl.DataFrame) -> Mapping[str, MessageObject]:
    template = compile_template(DEFAULT_KEY_TEMPLATE)
    rows = [
        (r["message_id"], r["timestamp"], r["metadata"], r["payload"])
        for r in lines.rows(named=True)
    ]
    made = [as_object(read_message(*one), template) for one in rows]
    return {one.key: one for one in made}


@pytest.fixture
def world(lines: pl.DataFrame, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.sync(feed="messages")
    commit_rows(made.source_uri, SOURCE_TABLES["messages"], lines, during(0))
    yield made
    made.ledger.close()


def send(world: World, destination: Destination) -> None:
    services = replace(world.services, destinations=lambda _: destination)
    (outcome,) = world.run(0, "messages", services=services)
    assert (outcome.error, outcome.quarantined) == (None, 0)


def test_a_body_is_the_text_of_its_line(lines: pl.DataFrame) -> None:
    texts = [line for file in FILES for line in file.read_text().splitlines()]
    bodies = [b'{"data": ' + row["payload"].encode() + b"}" for row in lines.rows(named=True)]
    assert bodies == [fields(text)["body"].encode() for text in texts]


def test_local(world: World, expected: Mapping[str, MessageObject]) -> None:
    folder = LocalFolder(world.folder())
    send(world, folder)
    keys = {one.key for one in folder.list() if not one.key.startswith("_cio/")}
    assert {key: folder.get(key) for key in keys} == {k: one.body for k, one in expected.items()}
    report = world.verify()
    assert (report.problems, report.warnings, report.files) == ((), (), len(expected))


def test_s3(world: World, expected: Mapping[str, MessageObject]) -> None:
    with moto_server() as server:
        bucket = server.bucket()
        send(world, s3(server.options(bucket, storage_class="STANDARD_IA")))
        found = _read_s3(server, bucket, set(expected))
    for key, one in expected.items():
        body, metadata, kind, storage = found[key]
        assert body == one.body
        assert metadata == {name.lower(): value for name, value in one.metadata.items()}
        assert (kind, storage) == ("application/json", "STANDARD_IA")
    assert threading.active_count()


def _read_s3(server: S3Server, bucket: str, keys: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    listed = server.admin.list_objects_v2(Bucket=bucket)["Contents"]
    prefix = "customerio/prod/"
    names = {one["Key"].removeprefix(prefix) for one in listed}
    assert names - keys == {"_cio/1.manifest"}
    for key in keys:
        got = server.admin.get_object(Bucket=bucket, Key=prefix + key)
        found[key] = (
            got["Body"].read(),
            got["Metadata"],
            got["ContentType"],
            got.get("StorageClass"),
        )
    return found


def test_azure(world: World, container: Container, expected: Mapping[str, MessageObject]) -> None:
    """Azure takes no hyphen in a name; on the way, names lose their capitals as on S3."""
    destination = azure(container.sas_url("racwdl"))
    send(world, destination)
    for key, one in expected.items():
        assert destination.get(key) == one.body
    blob = container.client().get_blob_client(f"customerio/a b/{next(iter(expected))}")
    found = blob.get_blob_properties()
    one = next(iter(expected.values()))
    named = {name.replace("-", "_").lower(): value for name, value in one.metadata.items()}
    assert found.metadata == named
    assert found.content_settings.content_type == "application/json"

"""C2, C3: real calls go to every store in every format, and come back as they were."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.manifests import FOLDER
from cio_pipeline.ports import Destination
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline_tests.azurite import Container
from cio_pipeline_tests.calls.reading import READERS, exact, payload_of
from cio_pipeline_tests.calls.steps import calls_sync, run
from cio_pipeline_tests.destinations.servers import moto_server, s3
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.world import NOON, World

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIO_REAL_DATA", ROOT.parent / "shared" / "data"))
FILES = sorted((DATA / "calls").glob("*.ndjson"))

pytestmark = pytest.mark.skipif(not FILES, reason="the real calls are not part of the project")


@dataclass
class Sent:
    """A world with all real calls in its source, and the payloads by type."""

    world: World
    payloads: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    world = World(tmp_path_factory.mktemp("real"))
    lines = CallLines(1, NOON)
    payloads: dict[str, list[dict[str, Any]]] = {kind: [] for kind in CALL_TYPES}
    for file in FILES:
        append_rows(world.source_uri, SOURCE_TABLES["calls"], lines.read(file), NOON)
        for text in file.read_text(encoding="utf-8").splitlines():
            found = exact(text)
            payloads[found["type"]].append(found)
    assert lines.bad == []
    assert lines.rows == sum(map(len, payloads.values())) == 447
    yield Sent(world, payloads)
    world.ledger.close()


def send_and_compare(
    real: Sent, tmp_path: Path, file_format: str, opened: Callable[[], Destination]
) -> None:
    world = real.world.copy(tmp_path / "world")
    calls_sync(world, format=file_format)
    destination = opened()
    services = replace(world.services, destinations=lambda _: destination)
    (outcome,) = run(world, 0, services)
    assert (outcome.error, outcome.quarantined, outcome.rows) == (None, 0, 447)
    keys = [one.key for one in destination.list() if not one.key.startswith(FOLDER)]
    assert sorted(keys) == sorted(f"2184.13699.1.{kind}.{file_format}" for kind in CALL_TYPES)
    for key in keys:
        copy = tmp_path / key
        destination.download(key, copy)
        kind = key.split(".")[3]
        _require_all(READERS[file_format](copy), kind, real.payloads[kind])
    world.ledger.close()


def _require_all(rows: list[dict[str, Any]], kind: str, payloads: list[dict[str, Any]]) -> None:
    """Each payload is there once."""
    left = [payload_of(row, kind) for row in rows]
    assert len(left) == len(payloads)
    assert all("message_id" in row and "received_at" in row for row in rows)
    for payload in payloads:
        assert payload in left
        left.remove(payload)


@pytest.mark.parametrize("file_format", READERS)
def test_local(real: Sent, tmp_path: Path, file_format: str) -> None:
    send_and_compare(real, tmp_path, file_format, lambda: LocalFolder(tmp_path / "bucket"))


def test_s3(real: Sent, tmp_path: Path) -> None:
    with moto_server() as server:
        for file_format in READERS:
            bucket = server.bucket()
            send_and_compare(
                real, tmp_path / file_format, file_format, lambda b=bucket: s3(server.options(b))
            )


@pytest.mark.parametrize("file_format", READERS)
def test_azure(real: Sent, tmp_path: Path, container: Container, file_format: str) -> None:
    send_and_compare(real, tmp_path, file_format, lambda: azure(container.sas_url("racwdl")))

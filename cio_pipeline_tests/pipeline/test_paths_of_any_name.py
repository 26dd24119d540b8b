"""Destinations below paths of any name: delivered there, and verified (D8)."""

from collections.abc import Iterator
from typing import Any

import pytest

from cio_pipeline_tests.azurite import Azurite
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during

NAMES = ["my project #1", "a?b=c", "ü/é", "a%41 b", "{x}+&;5%", "[x]*"]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


def delivers(world: World, destination: dict[str, Any]) -> None:
    """Two windows arrive whole."""
    world.sync("a", destination=destination)
    for number in range(2):
        world.commit("people", person("ann", 5, number), at=during(number))
        world.run(number)
    assert world.verify().ok


@pytest.mark.parametrize("name", NAMES)
def test_d8_on_s3(
    world: World, server: S3Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("S3_SECRET", SECRET)
    bucket = server.bucket()
    delivers(world, server.options(bucket).model_dump(mode="json") | {"path": name})
    found = server.admin.list_objects_v2(Bucket=bucket)["Contents"]
    assert {one["Key"].removeprefix(f"{name}/") for one in found} > {"people_v5_1_1.parquet"}


@pytest.mark.parametrize("name", NAMES)
def test_d8_in_azure_storage(
    world: World, azurite: Azurite, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azurite.new_container()
    monkeypatch.setenv("SAS", container.sas_url())
    delivers(world, {"type": "azure", "sas_url": "env:SAS", "path": name})
    found = container.client().list_blobs()
    assert {one.name.removeprefix(f"{name}/") for one in found} > {"people_v5_1_1.parquet"}


@pytest.mark.parametrize("name", NAMES)
def test_d8_in_a_folder(world: World, name: str) -> None:
    delivers(world, {"type": "local", "path": str(world.root / name)})
    assert (world.root / name / "people_v5_1_1.parquet").is_file()

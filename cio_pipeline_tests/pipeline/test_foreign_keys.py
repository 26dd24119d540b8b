"""D10: objects of others whose keys no sync would put are named, and stand in nobody's way."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cio_pipeline.destinations.azure_control import container_client
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.lifecycle.disable import disable
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.purge import purge
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.ports import Destination
from cio_pipeline.verification.report import ProblemKind, VerifyReport
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.destinations.servers import moto_server, s3
from cio_pipeline_tests.destinations.test_azure import PATH, azure
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during

PEOPLE = "people_v5_1_1.parquet"


@dataclass(frozen=True)
class Shared:
    """A place in a store that others write to, and keys that they can give it."""

    destination: Destination
    put: Callable[[str, bytes], object]
    odd: str
    odd_parquet: str
    shown: str


@pytest.fixture(params=["s3", "azure", "local"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "azure":
        place = azure(request.getfixturevalue("container").sas_url("racwdl"))
        with container_client(place._sas) as client:
            yield Shared(
                place,
                lambda key, body: client.upload_blob(f"{PATH}/{key}", body),
                "x//readme",
                f"old//{PEOPLE}",
                "x//readme",
            )
    elif request.param == "s3":
        with moto_server() as server:
            place, admin = s3(server.options(bucket := server.bucket())), server.admin
            yield Shared(
                place,
                lambda key, body: admin.put_object(
                    Bucket=bucket, Key=f"customerio/prod/{key}", Body=body
                ),
                "x//readme\x1b",
                f"../{PEOPLE}",
                "x//readme\\x1b",
            )
    else:
        root = tmp_path / "shared"
        os.makedirs(root / "old\n")  # noqa: PTH103
        yield Shared(
            LocalFolder(root),
            lambda key, body: (root / key).write_bytes(body),
            "\x1breadme",
            f"old\n/{PEOPLE}",
            "\\x1breadme",
        )


@pytest.fixture
def sync_of(tmp_path: Path, shared: Shared) -> tuple[World, Sync]:
    world = World(tmp_path / "world")
    world.services = world.as_run("test", destinations=lambda _: shared.destination)
    sync = world.sync("a")
    world.commit("people", person("ann"), person("bob"), at=during(0))
    world.run(0, "people")
    return world, sync


def named(
    report: VerifyReport,
) -> tuple[list[tuple[ProblemKind, str]], list[tuple[ProblemKind, str]]]:
    return (
        [(one.kind, one.key) for one in report.problems],
        [(one.kind, one.key) for one in report.warnings],
    )


def test_d10_verify_goes_on_and_names_them(sync_of: tuple[World, Sync], shared: Shared) -> None:
    shared.put(shared.odd, b"x")
    report = verify(shared.destination)
    assert named(report) == ([], [(ProblemKind.STRANGE, shared.shown)])
    assert "no sync puts such" in report.warnings[0].message
    assert (report.files, report.rows) == (1, 2)

    shared.put(shared.odd_parquet, shared.destination.get(PEOPLE))
    problems, _ = named(verify(shared.destination))
    assert [kind for kind, _ in problems] == [ProblemKind.STRANGE]


def test_d7_restore_goes_on(sync_of: tuple[World, Sync], shared: Shared) -> None:
    world, _ = sync_of
    whole = shared.destination.get(PEOPLE)
    shared.put(shared.odd, b"x")
    shared.destination.delete(PEOPLE)
    said: list[str] = []
    told = replace(world.services, notice=said.append)
    assert [one.error for one in restore(told)] == [None]
    assert any(shared.shown in one and "is left alone" in one for one in said)
    assert shared.destination.get(PEOPLE) == whole


def test_d7_purge_goes_on_and_names_them(sync_of: tuple[World, Sync], shared: Shared) -> None:
    world, _ = sync_of
    shared.put(shared.odd, b"x")
    disable(world.services, Order("a", world.now, "ann", ()))
    report = purge(world.services, Order("a", world.now, "ann", (), sure=True))
    assert report.done
    assert any(shared.shown in note for note in report.notes)
    assert [one.key for one in shared.destination.list()] == [shared.odd]


def test_d10_ledger_rebuild_and_catch_up_go_on(sync_of: tuple[World, Sync], shared: Shared) -> None:
    world, sync = sync_of
    shared.put(shared.odd, b"x")
    shared.put(shared.odd_parquet, b"y")
    assert [one.error for one in catch_up(world.services)] == [None]
    world = without_ledger(world)
    services = world.as_run("test", destinations=lambda _: shared.destination)
    (told,) = rebuild(services, [sync])
    assert (told.manifests, told.void, told.error) == (1, 0, None)

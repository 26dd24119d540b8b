"""M3: files may lie in an archive class; manifests and `cio-validate` never do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.destinations.azure_control import container_client
from cio_pipeline.model.errors import ObjectArchived, ObjectConflict
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.lifecycle.disable import disable
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.purge import purge
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.syncs.sync_file import told_of_archive
from cio_pipeline.ports import Destination
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.destinations.servers import moto_server, s3
from cio_pipeline_tests.destinations.suite import digest
from cio_pipeline_tests.destinations.test_azure import PATH, azure
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during

PEOPLE = "people_v5_1_1.parquet"
MANIFEST = "_cio/1.manifest"


@dataclass(frozen=True)
class Archive:
    """A place whose files go into an archive class; `class_of` tells where an object lies."""

    destination: Destination
    class_of: Callable[[str], Any]
    name: str
    default: str


@pytest.fixture(params=["GLACIER", "DEEP_ARCHIVE", "Archive"])
def archive(request: pytest.FixtureRequest) -> Iterator[Archive]:
    name = request.param
    if name == "Archive":
        place = azure(request.getfixturevalue("container").sas_url("racwdl"), access_tier=name)
        with container_client(place._sas) as client:
            yield Archive(
                place,
                lambda key: client.get_blob_client(f"{PATH}/{key}").get_blob_properties().blob_tier,
                name,
                "Hot",
            )
        return
    with moto_server() as server:
        options = server.options(bucket := server.bucket(), storage_class=name)
        admin = server.admin
        yield Archive(
            s3(options),
            lambda key: admin.head_object(Bucket=bucket, Key=f"customerio/prod/{key}").get(
                "StorageClass", "STANDARD"
            ),
            name,
            "STANDARD",
        )


@pytest.fixture
def sent(tmp_path: Path, archive: Archive) -> World:
    world = World(tmp_path / "world")
    world.services = world.as_run("test", destinations=lambda _: archive.destination)
    world.sync("a")
    world.commit("people", person("ann"), person("bob"), at=during(0))
    world.run(0, "people")
    return world


def test_m3_files_are_archived_and_nothing_else(sent: World, archive: Archive) -> None:
    classes = {one.key: archive.class_of(one.key) for one in archive.destination.list()}
    assert classes.pop(PEOPLE) == archive.name
    assert classes.pop(MANIFEST) == archive.default
    assert set(classes.values()) <= {archive.default}
    assert set(classes) <= {"cio-validate"}


def test_m3_trying_out_the_permissions_archives_nothing(archive: Archive) -> None:
    lacking = [one for one in archive.destination.permissions() if one.granted is False]
    assert lacking == []
    for one in archive.destination.list():
        assert archive.class_of(one.key) == archive.default


def test_m3_verify_proves_names_and_sizes_and_says_so(sent: World, archive: Archive) -> None:
    report = verify(archive.destination)
    assert report.problems == ()
    assert (report.files, report.rows, report.complete_up_to) == (1, 2, 1)
    assert [(one.kind, one.key) for one in report.warnings] == [(ProblemKind.ARCHIVED, PEOPLE)]
    archive.destination.delete(PEOPLE)
    assert [one.kind for one in verify(archive.destination).problems] == [ProblemKind.MISSING]


def test_m3_restore_puts_back_what_is_missing(sent: World, archive: Archive) -> None:
    assert restore(sent.services) == ()
    archive.destination.delete(PEOPLE)
    archive.destination.delete(MANIFEST)
    assert [one.error for one in restore(sent.services)] == [None]
    assert [one.error for one in restore_manifests(sent.services)] == [None]
    assert archive.class_of(PEOPLE) == archive.name
    assert archive.class_of(MANIFEST) == archive.default
    assert verify(archive.destination).ok


def test_m3_the_ledger_is_rebuilt_and_files_are_purged(sent: World, archive: Archive) -> None:
    sync = sent.ledger.registry.get("a").sync
    assert [one.error for one in catch_up(sent.services)] == [None]
    world = without_ledger(sent)
    services = world.as_run("test", destinations=lambda _: archive.destination)
    assert [one.error for one in rebuild(services, [sync])] == [None]
    disable(services, Order("a", world.now, "ann", ()))
    assert purge(services, Order("a", world.now, "ann", (), sure=True)).done
    assert list(archive.destination.list()) == []


@pytest.mark.parametrize("size", [4, 17 * 2**20], ids=["at once", "in parts"])
def test_d6_an_archived_file_is_told_from_anothers(
    archive: Archive, tmp_path: Path, size: int
) -> None:
    """After a crash between put and commit it is put again: ours, though it cannot be read."""
    body = b"body" * (size // 4)
    file = tmp_path / "file"
    for one in (body, body):
        file.write_bytes(one)
        archive.destination.put("a", file, digest(one))
    assert archive.class_of("a") == archive.name
    file.write_bytes(other := b"x" * size)
    with pytest.raises(ObjectConflict):
        archive.destination.put("a", file, digest(other))
    with pytest.raises(ObjectArchived) as caught:
        archive.destination.get("a")
    assert "archive" in str(caught.value)
    assert caught.value.next_step


def test_m4_an_archived_message_is_put_again_after_a_crash(archive: Archive) -> None:
    for _ in range(2):
        archive.destination.overwrite("m", b"one", {"event-id": "e1"})
    assert archive.class_of("m") == archive.name
    if archive.name == "Archive":
        with pytest.raises(ObjectArchived):
            archive.destination.overwrite("m", b"two", {"event-id": "e2"})
    else:
        archive.destination.overwrite("m", b"two!", {"event-id": "e2"})
        assert [one.size for one in archive.destination.list()] == [4]


def sync_with(**place: Any) -> Sync:
    return Sync.model_validate({"id": "a", "workspace_id": 1, "destination": place})


S3 = {"type": "s3", "bucket": "acme"}
AZURE = {"type": "azure", "sas_url": "env:ACME_SAS_URL"}


@pytest.mark.parametrize(
    ("place", "archived"),
    [
        (S3 | {"storage_class": "GLACIER"}, True),
        (S3 | {"storage_class": "DEEP_ARCHIVE"}, True),
        (AZURE | {"access_tier": "Archive"}, True),
        (S3 | {"storage_class": "GLACIER_IR"}, False),
        (S3 | {"storage_class": "INTELLIGENT_TIERING"}, False),
        (S3, False),
        (AZURE | {"access_tier": "Cold"}, False),
        (AZURE, False),
        ({"type": "local", "path": "x"}, False),
    ],
)
def test_m3_apply_says_what_an_archived_feed_cannot_do(
    place: dict[str, Any], *, archived: bool
) -> None:
    told = told_of_archive(sync_with(**place))
    assert bool(told) is archived
    if archived:
        assert "`verify`" in told[0]
        assert "restore" in told[0]


def test_m3_sync_apply_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "syncs.yaml").write_text(
        "syncs:\n  - id: a\n    workspace_id: 1\n    destination:\n      type: s3\n"
        "      bucket: acme\n      storage_class: GLACIER\n"
    )
    found = CliRunner().invoke(app, ["sync", "apply", "syncs.yaml", "--no-validate"])
    assert "GLACIER" in found.stderr

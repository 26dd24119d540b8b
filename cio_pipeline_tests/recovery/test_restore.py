"""Committed objects that are missing or altered are put back, only with the delivered bytes."""

import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from deltalake import DeltaTable
from sqlalchemy import update

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.recovery import Recovery
from cio_pipeline.ledger.schema import files
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.damaged import Damage
from cio_pipeline.pipeline.recovery.restore import restore, restore_export, restore_manifests
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.run_export import deliver_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination
from cio_pipeline_tests.crashes import NotedSpool
from cio_pipeline_tests.pipeline.test_failures import committed
from cio_pipeline_tests.recovery.loss import each_row_once, go_on, without_ledger
from cio_pipeline_tests.world import World, during, window


def bytes_of(world: World, sync_id: str = "a") -> dict[str, bytes]:
    folder = world.folder(sync_id)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_d10_an_emptied_bucket_is_restored_byte_by_byte(world: World) -> None:
    world.sync("a")
    world.sync("b")
    go_on(world, range(3))
    before = bytes_of(world)
    shutil.rmtree(world.folder())

    files = restore(world.services)
    manifests = restore_manifests(world.services)

    assert all(one.error is None for one in (*files, *manifests))
    assert {one.sync_id for one in (*files, *manifests)} == {"a"}
    assert bytes_of(world) == before
    each_row_once(world, 3)
    assert not list((world.root / "spool").iterdir())


def test_d10_altered_objects_are_replaced_and_whole_ones_left_alone(world: World) -> None:
    world.sync()
    go_on(world, range(3))
    before = bytes_of(world)
    altered = world.folder() / "events_v5_1_2.parquet"
    altered.write_bytes(altered.read_bytes()[:-1] + b"x")
    manifest = world.folder() / "_cio" / "2.manifest"
    manifest.write_bytes(b"{}")
    kept = (world.folder() / "events_v5_1_1.parquet").stat()

    found = [*restore(world.services), *restore_manifests(world.services)]

    assert [(one.key, one.damage) for one in found] == [
        ("events_v5_1_2.parquet", Damage.ALTERED),
        ("_cio/2.manifest", Damage.ALTERED),
    ]
    assert bytes_of(world) == before
    assert (world.folder() / "events_v5_1_1.parquet").stat().st_ino == kept.st_ino


def test_what_is_restored_can_be_narrowed_to_a_sync_and_a_window(world: World) -> None:
    world.sync("a")
    world.sync("b")
    go_on(world, range(2))
    for sync_id in "ab":
        for path in world.folder(sync_id).glob("events*"):
            path.unlink()
    found = restore(world.services, ["b"], [window(1)])
    assert [(one.sync_id, one.key) for one in found] == [("b", "events_v5_1_2.parquet")]


def test_a_file_that_comes_out_with_other_bytes_is_named_and_not_put(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_2.parquet").unlink()
    (world.folder() / "people_v5_1_2.parquet").unlink()
    other = update(files).where(files.c.key == "events_v5_1_2.parquet").values(sha256="0" * 64)
    world.ledger.database.write(lambda connection: connection.execute(other))

    found = {one.key: one.error for one in restore(world.services)}

    assert found["people_v5_1_2.parquet"] is None
    assert str(found["events_v5_1_2.parquet"]).startswith("DigestMismatch")
    assert "events_v5_1_2.parquet" in str(found["events_v5_1_2.parquet"])
    assert "events_v5_1_2.parquet" not in world.names()


def test_a_version_that_is_gone_is_named_and_the_altered_object_stays(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_2.parquet").write_bytes(b"altered")
    for path in (world.root / "source" / "events").rglob("*.parquet"):
        path.unlink()
    (found,) = restore(world.services)
    assert "VersionGone" in str(found.error)
    assert (world.folder() / "events_v5_1_2.parquet").read_bytes() == b"altered"


def test_d10_expired_files_are_no_loss(world: World) -> None:
    world.sync(files_expire_after="1d")
    go_on(world, range(2))
    for path in world.folder().glob("events*"):
        path.unlink()
    later = replace(world.services, clock=lambda: during(2 * 96))
    assert restore(later) == ()
    assert len(restore(world.services)) == 2


def test_files_come_from_the_spool_while_they_lie_there(world: World) -> None:
    world.sync()
    go_on(world, [0])
    file = next(
        one.sealed.files[0]
        for one in world.ledger.recovery.committed(["a"])
        if one.sealed.plan.export == "events"
    )
    path = world.services.spool.path(file.spool)
    path.parent.mkdir(parents=True)
    shutil.move(world.folder() / file.key, path)
    shutil.rmtree(world.root / "source" / "events")
    (found,) = restore(world.services)
    assert (found.key, found.error) == (file.key, None)
    assert world.verify().ok


def test_rows_sent_from_quarantine_are_restored_too(world: World) -> None:
    world.sync()
    odd = {"event_id": "e", "type": "odd", "processed_at": during(0)}
    world.commit("events", odd, at=during(0))
    world.run(0, "events")
    DeltaTable(f"{world.source_uri}/events").update(
        {"type": "'page'"}, commit_properties=committed(during(1))
    )
    world.run(1, "events")
    assert [one.rows for one in retry_quarantine(world.services)] == [1]
    before = bytes_of(world)
    (world.folder() / "events_v5_1_1.parquet").unlink()
    assert [one.error for one in restore(world.services)] == [None]
    assert bytes_of(world) == before


def test_d10_a_rebuilt_ledger_restores_what_was_sent_before(world: World) -> None:
    sync = world.sync()
    go_on(world, range(3))
    before = bytes_of(world)
    world = without_ledger(world)
    rebuild(world.services, [sync])
    for path in world.folder().glob("*.parquet"):
        path.unlink()
    assert {one.error for one in restore(world.services)} == {None}
    assert bytes_of(world) == before


def test_a_restored_export_is_a_batch_with_nothing_left_to_deliver(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_2.parquet").unlink()
    batch = restore_export(world.services, "events", window(1), Scope(["a"]))
    (outcome,) = deliver_export(world.services, batch)
    assert (outcome.files, outcome.rows, outcome.error) == (1, 1, None)
    assert world.verify().ok


@pytest.mark.parametrize("export", ["people", "events"])
def test_nothing_is_done_where_nothing_is_lost(world: World, export: str) -> None:
    world.sync()
    go_on(world, range(2))
    assert restore(world.services, exports=[export]) == ()
    assert restore_manifests(world.services) == ()


def test_two_restores_never_encode_into_the_same_folder_of_the_spool(world: World) -> None:
    """What one has put may be another name of a file that lies there."""
    world.sync("a")
    go_on(world, range(1))
    spools = [NotedSpool(world.root / "spool") for _ in range(2)]
    for spool in spools:
        shutil.rmtree(world.folder())
        assert {one.error for one in restore(replace(world.services, spool=spool))} == {None}
    assert all(spool.made for spool in spools)
    assert not spools[0].made & spools[1].made


def test_what_a_restore_that_died_has_left_is_swept_after_a_day(world: World) -> None:
    world.sync("a")
    left = [world.services.spool.folder(f"restore-events-{number}-x") for number in (1, 2)]
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(left[0], (two_days_ago, two_days_ago))
    go_on(world, range(1))
    assert [folder.exists() for folder in left] == [False, True]


@dataclass
class Counted:
    """Syncs' destinations and the history, and how often they are read whole."""

    world: World
    listed: Counter[str] = field(default_factory=Counter[str])
    histories: int = 0

    def services(self, patch: pytest.MonkeyPatch) -> Services:
        def opened(sync: Sync) -> Destination:
            destination = self.world.services.destinations(sync)
            objects = destination.list

            def counted(*given: Any) -> Any:
                self.listed[sync.id] += 1
                return objects(*given)

            patch.setattr(destination, "list", counted)
            return destination

        committed = Recovery.committed

        def read(*given: Any) -> Any:
            self.histories += 1
            return committed(*given)

        patch.setattr(Recovery, "committed", read)
        return replace(self.world.services, destinations=opened)


@pytest.mark.parametrize("how", ["by export", "by window"])
def test_each_bucket_and_history_is_read_once_a_sync(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Of a run of 15 exports, and of a command for many windows: 75 listings for 5 syncs once."""
    syncs = "abc"
    for sync_id in syncs:
        world.sync(sync_id)
    go_on(world, range(3))
    for sync_id in syncs:
        for name in world.names(sync_id)[:3]:
            (world.folder(sync_id) / name).unlink()
    counted = Counted(world)
    services = counted.services(monkeypatch)
    if how == "by export":
        for export in EXPORTS:
            for number in range(3):
                deliver_export(services, restore_export(services, export, window(number), Scope()))
    else:
        restore(services, windows=[window(number) for number in range(3)])
    assert counted.listed == dict.fromkeys(syncs, 1)
    assert counted.histories == len(syncs)
    assert all(world.verify(sync_id).ok for sync_id in syncs)

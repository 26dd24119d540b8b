"""D10: an old backup of the ledger is brought up to what the buckets tell."""

import shutil
from pathlib import Path

import pytest

from cio_pipeline.model.errors import ObjectConflict
from cio_pipeline.model.plans import PlanState
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.recovery.loss import (
    EXPORTS,
    DieAfter,
    backed_up,
    change,
    each_row_once,
    go_on,
    restored,
)
from cio_pipeline_tests.world import World, during, window


def test_d10_windows_sent_since_the_backup_are_neither_lost_nor_sent_again(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    backup = backed_up(world)
    go_on(world, range(2, 4))
    world = restored(world, backup)

    (told,) = catch_up(world.services)

    assert (told.manifests, told.void, told.error) == (2, 0, None)
    go_on(world, range(4, 6))
    each_row_once(world, 6)
    assert not world.verify().warnings


def test_d10_catching_up_twice_changes_nothing(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    backup = backed_up(world)
    go_on(world, [2])
    world = restored(world, backup)
    catch_up(world.services)
    before = world.ledger.registry.states(EXPORTS)
    (told,) = catch_up(world.services)
    assert (told.manifests, told.files, told.void) == (0, 0, 0)
    assert world.ledger.registry.states(EXPORTS) == before


def test_d10_what_was_sent_and_not_listed_is_sent_with_new_numbers(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    backup = backed_up(world)
    change(world, 2)
    world.now = window(2).end
    for export in EXPORTS:
        run_export(world.services, export, window(2), Scope())
    world = restored(world, backup)
    assert catch_up(world.services)[0].void == 4
    go_on(world, [3])
    each_row_once(world, 4)


def test_d6_an_old_backup_that_nobody_brought_up_runs_into_a_named_conflict(world: World) -> None:
    """Numbers used since meet other bytes: nothing is overwritten, and catching up mends it."""
    world.sync()
    go_on(world, range(2))
    backup = backed_up(world)
    go_on(world, range(2, 4))
    world = restored(world, backup)
    change(world, 4)
    outcomes = world.run(4, *EXPORTS)
    assert [str(one.error).partition(":")[0] for one in outcomes] == [
        ObjectConflict.__name__,
        *["BreakerOpen"] * (len(outcomes) - 1),
    ]

    (told,) = catch_up(world.services)

    assert told.error is None
    go_on(world, [5])
    each_row_once(world, 6)


def test_d6_an_old_backup_that_sent_equal_bytes_again_is_mended_too(world: World) -> None:
    """The same window gives the same files; only its manifest differs, and gives way."""
    world.sync()
    go_on(world, range(2))
    backup = backed_up(world)
    go_on(world, [2])
    world = restored(world, backup)
    world.now += TTL
    outcomes = world.run(2, *EXPORTS)
    assert all(one.error is None for one in outcomes)
    assert ("a", "manifest") in world.ledger.failing.of_window(window(2).end)

    (told,) = catch_up(world.services)

    assert told.error is None
    go_on(world, [3])
    each_row_once(world, 4)
    assert not world.verify().warnings


@pytest.mark.parametrize("state", [PlanState.OPEN, PlanState.SEALED])
def test_d10_a_plan_that_was_unfinished_at_the_backup_and_delivered_since(
    world: World, state: PlanState
) -> None:
    world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    died_after = "plans.open" if state is PlanState.OPEN else "plans.seal"
    with pytest.raises(Crash):
        run_export(
            watched(world.services, DieAfter(died_after), "dying"), "people", window(2), Scope()
        )
    world.now += 2 * TTL
    backup = backed_up(world)
    (plan,) = [s.open_plan for s in world.ledger.registry.states(["people"])]
    assert plan is not None
    assert plan.state is state
    world.run(2, *EXPORTS)
    go_on(world, [3])
    world = restored(world, backup)

    (told,) = catch_up(world.services)

    assert (told.error, told.void) == (None, 0)
    assert [s.open_plan for s in world.ledger.registry.states(["people"])] == [None]
    go_on(world, [4])
    each_row_once(world, 5)


def test_d10_rows_in_quarantine_that_were_sent_since_are_not_sent_again(world: World) -> None:
    world.sync()
    person = {"internal_customer_id": "p0"}
    bad = {**person, "attribute_name": "plan", "attribute_value": "{", "timestamp": during(0)}
    world.commit("people", person, at=during(0))
    world.commit("attributes", bad, at=during(0))
    world.run(0, "people", "attributes")
    backup = backed_up(world)
    good = {**bad, "attribute_value": "1", "timestamp": during(1)}
    world.commit("attributes", good, at=during(1))
    world.run(1, "people", "attributes")
    world = restored(world, backup)
    assert world.ledger.quarantine.entries()

    catch_up(world.services)

    assert not world.ledger.quarantine.entries()
    assert retry_quarantine(world.services) == ()
    assert world.read("attributes").height == 1


def test_d10_syncs_are_caught_up_each_for_itself(world: World) -> None:
    world.sync("a")
    world.sync("b")
    go_on(world, [0])
    backup = backed_up(world)
    go_on(world, [1, 2])
    (world.folder("a") / "_cio" / "2.manifest").unlink()
    world = restored(world, backup)
    first, second = catch_up(world.services)
    assert first.error is not None
    assert "missing" in str(first.error)
    assert second.manifests == 2
    go_on(world, [3], ["b"])
    each_row_once(world, 4, "b")


def test_d10_a_sync_that_a_run_works_on_is_left_alone(world: World) -> None:
    world.sync()
    go_on(world, [0])
    world.ledger.leases.claim([("a", "people")], "run 7", world.now, TTL)
    (told,) = catch_up(world.as_run("me"))
    assert told.error is not None
    assert "run 7" in str(told.error)


def test_d10_the_numbers_void_are_listed_in_the_next_manifest(world: World) -> None:
    world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_3.parquet").write_bytes(b"of a run that was lost")
    catch_up(world.services)
    commit_window(world.services, window(1))
    report = world.verify()
    assert report.ok
    assert report.manifests == 3


def test_d10_a_ledger_that_put_another_manifest_than_the_bucket_holds_is_refused(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(3))
    last = world.folder() / "_cio" / "3.manifest"
    last.write_bytes(last.read_bytes().replace(b'"created_at":', b'"created_at" :'))
    (told,) = catch_up(world.services)
    assert told.error is not None
    assert "was put by this ledger" in str(told.error)


def test_d10_manifests_that_only_the_ledger_has_are_left_to_restore(world: World) -> None:
    world.sync()
    go_on(world, range(3))
    for name in ("2.manifest", "3.manifest"):
        (world.folder() / "_cio" / name).unlink()
    (told,) = catch_up(world.services)
    assert (told.error, told.manifests, told.void) == (None, 0, 0)


def test_d10_the_same_on_postgresql(postgres_cluster: Cluster, tmp_path: Path) -> None:
    """A bucket whose windows another ledger sent, as after a backup was restored."""
    old = World(tmp_path, postgres_cluster.new_schema())
    old.sync()
    go_on(old, [0])
    shutil.copytree(old.folder(), tmp_path / "early")
    go_on(old, [1, 2])
    late = tmp_path / "late"
    shutil.move(old.folder(), late)
    shutil.move(tmp_path / "early", old.folder())
    new = World(tmp_path, postgres_cluster.new_schema(), now=old.now)
    rebuild(new.services, [new_sync(old)])
    shutil.rmtree(new.folder())
    shutil.move(late, new.folder())

    (told,) = catch_up(new.services)

    assert (told.manifests, told.error) == (2, None)
    go_on(new, [3])
    each_row_once(new, 4)
    assert {one.error for one in restore(new.services)} <= {None}
    old.ledger.close()
    new.ledger.close()


def new_sync(world: World) -> Sync:
    return world.ledger.registry.get("a").sync

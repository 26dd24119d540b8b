"""After a pruning everything that a ledger can do still works, or says why not."""

from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.cli.verify import targets, verify_target
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.verbs import VERBS
from cio_pipeline.pipeline.recovery.catch_up import catch_up
from cio_pipeline.pipeline.recovery.damaged import Damage
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.upkeep import prune_ledger
from cio_pipeline_tests.recovery.loss import change
from cio_pipeline_tests.world import World, window


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("pruned") / "world")
    world.sync()
    for number in range(4):
        if number != 2:
            change(world, number)
        world.run(number)
    world.now += timedelta(days=31)
    done = prune_ledger(world.services, 30)
    assert (done.bodies, done.cuts) == (len(world.manifests()), 0)
    assert all(body == b"" for _, body in world.ledger.manifests.bodies("a"))
    return world


@pytest.fixture
def world(pruned: World, tmp_path: Path) -> World:
    return pruned.copy(tmp_path / "world")


def test_d10_files_are_restored_and_a_chain_is_proven_and_goes_on(world: World) -> None:
    lost = world.folder() / world.names()[0]
    kept = lost.read_bytes()
    lost.unlink()
    assert [one.error for one in restore(world.services)] == [None]
    assert lost.read_bytes() == kept
    change(world, 4)
    world.run(4)
    assert world.verify().ok
    assert [(one.manifests, one.error) for one in catch_up(world.services)] == [(0, None)]
    world.sync(manifest=False)
    (target,) = targets(world.services, ["a"])
    assert verify_target(target, deep=True).ok, "those that were put are read where they lie"


def test_d10_a_manifest_that_only_the_bucket_had_is_named(world: World) -> None:
    (world.folder() / "_cio" / "1.manifest").unlink()
    (world.folder() / "_cio" / "2.manifest").write_bytes(b"{}")
    gone, altered = restore_manifests(world.services)
    assert (gone.damage, altered.damage) == (Damage.MISSING, Damage.ALTERED)
    for one in (gone, altered):
        assert one.error is not None
        assert one.error.kind == LedgerError.__name__
        assert "no longer holds _cio/" in one.error.message
    assert (world.folder() / "_cio" / "2.manifest").read_bytes() == b"{}", "nothing is removed"


def test_d7_a_purge_removes_all_of_it(world: World) -> None:
    verbs = {verb.name: verb for verb in VERBS}
    for name in ("disable", "purge"):
        verbs[name].do(world.services, Order("a", world.now, "me", sure=True))
    assert (world.names(), world.manifests()) == ([], [])


def test_windows_that_are_not_settled_keep_their_attempts(world: World) -> None:
    known = world.ledger.registry.get("a")
    switches = {name: ExportSwitch(enabled=True) for name in known.switches}
    world.ledger.registry.put(known.sync, switches, world.now)
    outstanding, settled = window(5), window(1)
    for one in (outstanding, settled):
        world.ledger.attempts.next("tick", one.key, one.end)
    assert prune_ledger(world.services, 30).attempts == 1
    assert set(world.ledger.attempts.counts("tick", [outstanding.key, settled.key])) == {
        outstanding.key
    }

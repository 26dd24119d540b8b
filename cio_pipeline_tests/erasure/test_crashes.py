"""An erasure that dies at any of its effects is finished by the next one; nothing is half done.

One crash at the first and the last effect of each kind in `make test`, all others in
`make test-deep`.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.lifecycle.gone import person, row
from cio_pipeline_tests.world import World, during

CHANGING = {
    "gone.keep",
    "rewrites.seal",
    "destination.replace",
    "rewrites.leave_gone",
    "rewrites.commit",
    "destination.put_bytes",
    "manifests.mark_put",
    "spool.discard",
}
EXPORTS = ("people", "deliveries", "metrics")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two syncs of one workspace; somebody was named and is gone."""
    world = World(tmp_path_factory.mktemp("start") / "world")
    world.commit("people", person("ann", 0), person("bob", 0), at=during(0))
    for table in ("deliveries", "metrics"):
        rows = [row(table, name, f"{name}-1", 0) for name in ("ann", "bob")]
        world.commit(table, *rows, at=during(0))
    world.sync("a")
    world.sync("b")
    world.run(0, *EXPORTS)
    world.commit("people", person("ann", 1, deleted=True), at=during(1))
    world.run(1, *EXPORTS)
    return world


def state(world: World) -> dict[str, bytes]:
    """What lies in the buckets, without manifests, which tell the time."""
    return {
        f"{one}/{name}": (world.folder(one) / name).read_bytes()
        for one in ("a", "b")
        for name in world.names(one)
    }


def run(world: World, fuse: Fuse, owner: str) -> bool:
    services: Services = watched(world.services, fuse, owner)
    try:
        assert erase(services, 1, "cio-ann", "ann").complete
    except Crash:
        return False
    return True


def points(names: list[str]) -> list[int]:
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names, 1):
        if name in CHANGING:
            found.setdefault(name, []).append(at)
    assert found.keys() == CHANGING
    return sorted({at for numbers in found.values() for at in (numbers[0], numbers[-1])})


@pytest.mark.parametrize("at", ["some", pytest.param("all", marks=pytest.mark.deep)])
def test_d10_an_erasure_that_dies_anywhere_is_finished_by_the_next(
    start: World, tmp_path: Path, at: str
) -> None:
    whole, world = Fuse(), start.copy(tmp_path / "whole")
    assert run(world, whole, "whole")
    expected = state(world)
    chosen = range(1, len(whole.names) + 1) if at == "all" else points(whole.names)
    for number in chosen:
        world = start.copy(tmp_path / str(number))
        assert not run(world, Fuse(number), "first")
        effect = f"died before effect {number}, {whole.names[number - 1]}"
        world.now += TTL + timedelta(seconds=1)
        # Nobody puts back meanwhile what lay there before.
        now = state(world)
        restore(world.services)
        assert state(world) == now, effect
        assert run(world, Fuse(), "second"), effect
        assert state(world) == expected, effect
        assert all(world.verify(one).ok for one in ("a", "b")), effect
        assert world.ledger.rewrites.under_way(["a", "b"]) == [], effect
        world.ledger.close()

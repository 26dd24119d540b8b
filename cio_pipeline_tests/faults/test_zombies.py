"""A run sleeps past its lease, another one takes over, and the first one wakes up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.crashes import watched
from cio_pipeline_tests.faults.prepared import end_state, prepare, require_whole
from cio_pipeline_tests.world import World

STAGES = [
    ("plans.open", 1),
    ("spool.discard", 1),
    ("source.changes", 1),
    ("plans.seal", 1),
    ("leases.lost", 1),
    ("destination.put", 1),
    ("leases.lost", 2),
    ("destination.put", 2),
    ("plans.deliver", 1),
    ("plans.seal", 2),
    ("manifests.waiting", 1),
    ("plans.delivered", 1),
    ("plans.commit", 1),
    ("destination.put_bytes", 1),
    ("manifests.mark_put", 1),
]
"""Where it falls asleep: before the nth effect of a name."""

CHANGES_OF_THE_LEDGER = {
    "plans.open",
    "plans.seal",
    "plans.advance",
    "plans.deliver",
    "plans.commit",
}


@dataclass
class Sleeper:
    """Falls asleep before the `nth` effect of a name; `meanwhile` is what it sleeps through."""

    name: str
    nth: int
    meanwhile: Callable[[], object]
    done: list[str] = field(default_factory=list)

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        self.nth -= name == self.name
        if name == self.name and self.nth == 0:
            self.nth = -1
            self.done.clear()
            self.meanwhile()
        found = effect()
        self.done.append(name)
        return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = prepare(World(tmp_path_factory.mktemp("prepared") / "world"), "people")
    yield world
    world.ledger.close()


@pytest.fixture(scope="module")
def expected(prepared: World) -> dict[str, Any]:
    world = prepared.copy(prepared.root.with_name("undisturbed"))
    world.run(1, "people")
    return end_state(world, "people")


def heir_of(world: World) -> Callable[[], None]:
    """Takes over everything and brings it to the end."""

    def run() -> None:
        world.now += 2 * TTL
        done = world.run(1, "people", services=world.as_run("heir"))
        assert [one.error for one in done] == [None] * len(done)

    return run


@pytest.mark.parametrize(("name", "nth"), STAGES)
def test_d6_a_zombie_commits_nothing_and_the_heirs_files_stay(
    tmp_path: Path, prepared: World, expected: dict[str, Any], name: str, nth: int
) -> None:
    world = prepared.copy(tmp_path / "world")
    zombie = Sleeper(name, nth, heir_of(world))
    try:
        services = replace(watched(world.services, zombie, "zombie"), threads=1)
        done = world.run(1, "people", services=services)
    except LeaseLost:
        done = ()

    assert zombie.nth < 0, "it never fell asleep"
    assert end_state(world, "people") == expected
    assert world.run(1, "people", services=world.as_run("next")) == ()
    assert end_state(world, "people") == expected
    require_whole(world)
    # One effect may slip in between its check and itself: a put of the same bytes.
    assert zombie.done.count("destination.put") <= (name == "destination.put")
    assert zombie.done.count("destination.put_bytes") <= (name == "destination.put_bytes")
    assert not CHANGES_OF_THE_LEDGER & set(zombie.done)
    # Its lease is lost, or what it was reading from its spool was swept by the heir.
    assert all(
        "LeaseLost" in str(one.error) or "is gone" in str(one.error) for one in done if one.error
    )


@pytest.mark.parametrize("left", [0, 100])
def test_a_zombie_that_writes_into_the_heirs_spool_spoils_no_object(
    tmp_path: Path, prepared: World, expected: dict[str, Any], left: int
) -> None:
    world = prepared.copy(tmp_path / "world")

    def meddle() -> None:
        for path in world.services.spool.root.rglob("*.parquet"):
            path.write_bytes(path.read_bytes()[:left])

    meddled = Sleeper("destination.put", 1, meddle)
    services = replace(watched(world.services, meddled, "heir"), threads=1)
    done = world.run(1, "people", services=services)
    assert {str(one.error).partition(":")[0] for one in done} == {"DestinationUnavailable"}
    assert len(world.names("a")) == 1

    world.run(1, "people", services=world.as_run("next"))

    assert end_state(world, "people") == expected
    require_whole(world)

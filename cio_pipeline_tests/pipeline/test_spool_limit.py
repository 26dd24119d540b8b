"""O5: a spool that may take so many bytes never takes more, and all is sent in the end."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cio_pipeline.files.spool import Spool
from cio_pipeline.model.errors import DiskFull, InvalidConfig
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.delivering import room
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import settings
from cio_pipeline_tests.pipeline.sliced import Broken
from cio_pipeline_tests.waiting import PATIENCE
from cio_pipeline_tests.world import World, during, window

LIMIT = 400_000
CHANCE = random.Random(5)  # noqa: S311 - no secret


class Watched(Spool):
    """Knows the most that was taken whenever somebody looked, or something new was begun."""

    peak = 0

    def taken(self) -> int:
        found = super().taken()
        self.peak = max(self.peak, found)
        return found

    @contextmanager
    def one_writer(self, *, wait: bool = True) -> Iterator[bool]:
        with super().one_writer(wait=wait) as ours:
            self.taken()
            yield ours
            self.taken()


def limited(world: World, limit: int | None = LIMIT, **changed: Any) -> tuple[Services, Watched]:
    spool = Watched(world.root / "spool", limit)
    return replace(world.services, spool=spool, **changed), spool


def many(workspace: int, rows: int, number: int = 0) -> list[dict[str, Any]]:
    """Rows that no encoding makes small: some 150 bytes each."""
    return [
        {
            "event_id": f"{number}-{row}-{CHANCE.randbytes(50).hex()}",
            "workspace_id": workspace,
            "created_at": during(number),
        }
        for row in range(rows)
    ]


def run(services: Services, number: int) -> list[str]:
    outcomes = run_export(services, "metrics", window(number), Scope())
    commit_window(services, window(number))
    return [str(one.error) for one in outcomes if one.error]


def total(world: World, *sync_ids: str) -> int:
    paths = [path for one in sync_ids for path in world.folder(one).glob("*.parquet")]
    return sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize("number", [0, 1], ids=["history", "changes"])
def test_o5_a_backlog_larger_than_the_limit_goes_through_the_spool(
    world: World, number: int
) -> None:
    world.sync("a", exports=["metrics"])
    if number:
        world.commit("metrics", *many(1, 1), at=during(0))
        world.run(0, "metrics")
    for part in range(10):
        world.commit("metrics", *many(1, 1500, number), at=during(number, part))
    world.now = window(number).end

    services, spool = limited(world, slice_rows=500)
    assert run(services, number) == []

    assert total(world, "a") > 2 * LIMIT
    assert 0 < spool.peak < LIMIT
    assert world.read("metrics").height == 15_000 + number
    assert world.read("metrics")["event_id"].n_unique() == world.read("metrics").height
    assert world.verify().ok
    assert spool.folders() == ()


def test_o5_many_syncs_are_encoded_while_there_is_room_and_delivered_in_between(
    world: World,
) -> None:
    """All that reads little is sealed together otherwise, here by version and unit."""
    syncs = {f"{version}-{unit}": (version, unit) for version in (4, 5) for unit in ("us", "ms")}
    for workspace, (sync_id, (version, unit)) in enumerate(syncs.items(), 1):
        world.sync(sync_id, workspace, version=version, timestamp_unit=unit, exports=["metrics"])
        world.commit("metrics", *many(workspace, 2500), at=during(0, workspace))
    free = world.copy(world.root.with_name("free"))
    free.now = world.now = window(0).end
    unlimited, unbounded = limited(free, None)
    services, spool = limited(world)

    assert run(unlimited, 0) == run(services, 0) == []

    assert spool.peak < LIMIT < unbounded.peak
    assert total(world, *syncs) == total(free, *syncs)
    assert all(world.verify(one).ok for one in syncs)


def test_o5_syncs_at_many_positions_do_not_fill_it_with_what_each_of_them_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before: the run waited for itself, ten minutes for each that was left, and failed."""
    monkeypatch.setattr(room, "WAIT", 0)
    syncs = [f"w{workspace}" for workspace in range(1, 7)]
    for workspace, sync_id in enumerate(syncs, 1):
        world.sync(sync_id, workspace, exports=["metrics"])
    for number in range(len(syncs)):
        world.commit("metrics", *many(number + 1, 1, number), at=during(number))
        world.run(number, "metrics", sync_ids=syncs[number:])
    last = len(syncs)
    for workspace in range(1, len(syncs) + 1):
        world.commit("metrics", *many(workspace, 120, last), at=during(last, workspace))
    world.now = window(last).end
    services, spool = limited(world)

    assert run(services, last) == []

    assert spool.peak < LIMIT
    assert [world.read("metrics", one).height for one in syncs] == [121] * len(syncs)


def test_o5_files_of_a_store_that_is_down_make_room_and_are_encoded_again(world: World) -> None:
    for workspace, sync_id in enumerate(("down", "up"), 1):
        world.sync(sync_id, workspace, exports=["metrics"])
        world.commit("metrics", *many(workspace, 2500), at=during(0, workspace))
    world.now = window(0).end
    opened = world.services.destinations
    services, spool = limited(world)
    down = replace(
        services,
        destinations=lambda one: Broken(opened(one), 0) if one.id == "down" else opened(one),
    )
    (error,) = run(down, 0)
    assert "No room for another file" in error
    assert spool.folders() == (), "more than half was taken"

    close_breaker(world.ledger, "down")
    world.now = window(1).end
    assert run(services, 1) == []
    assert [world.read("metrics", one).height for one in ("down", "up")] == [2500, 2500]
    assert all(world.verify(one).ok for one in ("down", "up"))


def test_o5_who_finds_no_room_takes_what_nobody_works_on_else_waits_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK", 0.01)
    monkeypatch.setattr(room, "WAIT", 0.1)
    services, spool = limited(world)
    foreign = spool.folder("restore-1") / "large"
    foreign.write_bytes(bytes(LIMIT // 2 + 1))
    with pytest.raises(DiskFull, match="CIO_SPOOL_BYTES"):
        room.wait_for_room(services)

    monkeypatch.setattr(room, "WAIT", PATIENCE)
    waiting = threading.Thread(target=room.wait_for_room, args=[services])
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    foreign.unlink()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    (spool.folder("metrics-99-0-1") / "left").write_bytes(bytes(LIMIT))
    room.wait_for_room(services)
    assert not spool.path("metrics-99-0-1").exists()


class Interrupted(Watched):
    """Lets another run begin once somebody has written."""

    def __init__(self, *given: Any, other: Callable[[], None]) -> None:
        super().__init__(*given)
        self._others = [other]

    @contextmanager
    def one_writer(self, *, wait: bool = True) -> Iterator[bool]:
        with super().one_writer(wait=wait) as ours:
            yield ours
        if self._others:
            self._others.pop()()


def test_o5_who_holds_files_does_not_wait_for_one_who_waits_for_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before: the one had sealed and waited to write, the other to be let write by it."""
    monkeypatch.setattr(room, "LOOK", 0.01)
    monkeypatch.setattr(room, "WAIT", PATIENCE / 2)
    for version in (4, 5):
        world.sync(f"v{version}", version, version=version, exports=["metrics"])
        world.commit("metrics", *many(version, 5000), at=during(0, version))
    world.now = window(0).end
    writes, ended = threading.Event(), list[str]()
    services, _ = limited(world)

    def other() -> None:
        with services.spool.one_writer():
            assert not services.spool.roomy(room.OF_FILES)
            writes.set()
            room.wait_for_room(services)
            ended.append("had room")

    waiting = threading.Thread(target=other)

    def begun() -> None:
        waiting.start()
        writes.wait(PATIENCE)

    spool = Interrupted(world.root / "spool", LIMIT, other=begun)
    assert run(replace(services, spool=spool), 0) == []
    waiting.join(PATIENCE)
    assert ended == ["had room"]
    assert all(world.verify(one).ok for one in ("v4", "v5"))


@pytest.mark.parametrize("text", ["many", "-1", "1000", "1e9", "2GB"])
def test_a_limit_that_is_none_or_too_small_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="CIO_SPOOL_BYTES"):
        settings({"CIO_SPOOL_BYTES": text})
    assert settings({}).spool_bytes is None
    assert settings({"CIO_SPOOL_BYTES": str(4 * 1024**3)}).spool_bytes == 4 * 1024**3

"""Erasure beside all that goes on with the same syncs: runs, retention, stores that are down."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cio_pipeline.model.errors import DestinationUnavailable, SecretMissing, UnknownPerson
from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.expire import expire
from cio_pipeline.pipeline.recovery.reconcile import Asked, reconcile
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.lifecycle.gone import person, remove, row
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import NOON, World, during

EXPORTS = ("people", "deliveries")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Ann was sent to two syncs and is gone, which was sent, too."""
    world = World(tmp_path_factory.mktemp("sent") / "world")
    world.commit("people", person("ann", 0), person("bob", 0), at=during(0))
    world.sync("a")
    world.sync("b")
    for number in (0, 1):
        rows = [row("deliveries", one, f"{one}-{number}", number) for one in ("ann", "bob")]
        world.commit("deliveries", *rows, at=during(number))
        world.run(number, *EXPORTS)
    world.commit("people", person("ann", 2, deleted=True), at=during(2))
    world.run(2, *EXPORTS)
    return world


@pytest.fixture
def world(sent: World, tmp_path: Path) -> World:
    return sent.copy(tmp_path / "world")


class Else:
    """A destination, some of whose methods are something else."""

    def __init__(self, inner: Any, of: Callable[[str], Callable[..., Any] | None]) -> None:
        self._inner, self._of = inner, of

    def __getattr__(self, name: str) -> Any:
        return self._of(name) or getattr(self._inner, name)


def named(world: World) -> list[str]:
    folders = [world.folder(one) for one in ("a", "b")]
    paths = [path for folder in folders for path in folder.rglob("*.parquet")]
    return sorted(str(path) for path in paths if "cio-ann" in str(pl.read_parquet(path).to_dicts()))


def test_d4_what_had_expired_is_not_put_back_once_files_are_kept_for_longer(world: World) -> None:
    for one in ("a", "b"):
        world.sync(one, expire_delivered_after="1d")
    world.now += timedelta(days=2)
    assert all(one.files and one.error is None for one in expire(world.services))
    assert erase(world.services, 1, "cio-ann", "ann").complete
    for one in ("a", "b"):
        world.sync(one)
    put = restore(world.services)
    assert put
    assert named(world) == []
    assert all("erased" in str(one.error) for one in put)


def test_d4_a_place_that_cannot_be_looked_at_is_named_by_its_sync(world: World) -> None:
    """All files that tell of somebody may lie there. Where nothing was sent yet, none does."""
    opened, away = world.services.destinations, ["new"]
    world.sync("new")

    def fail(*_: Any) -> None:
        raise SecretMissing("The environment variable SAS is not set.", "Set it.")

    services = world.as_run(
        "run",
        destinations=lambda sync: (
            Else(opened(sync), lambda _: fail) if sync.id in away else opened(sync)
        ),
    )
    away.append("b")
    before = named(world)
    with pytest.raises(
        SecretMissing, match=r"of sync 'b' cannot .* SAS is not set\. Set it\. Then"
    ):
        erase(services, 1, "cio-ann", "ann")
    assert named(world) == before
    away.remove("b")
    assert erase(services, 1, "cio-ann", "ann").complete
    assert named(world) == []


def test_d10_a_store_that_is_down_keeps_no_other_sync_from_telling(world: World) -> None:
    opened, down = world.services.destinations, list[str]()

    def fail(*_: Any) -> None:
        down.append("a")
        raise DestinationUnavailable("The store does not answer.", "Wait.")

    def failing(name: str) -> Any:
        return fail if down or name == "replace" else None

    services = world.as_run(
        "run",
        destinations=lambda sync: Else(opened(sync), failing) if sync.id == "a" else opened(sync),
    )
    receipt = erase(services, 1, "cio-ann", "ann")
    assert not receipt.complete
    assert {one.sync for one in receipt.left} == {"a"}
    assert any("does not answer" in one for one in receipt.notes)
    assert world.verify("b").ok
    assert {one.sync for one in receipt.files if one.manifest} == {"b"}


def test_o1_a_rebuilt_ledger_does_not_miss_what_an_erasure_took_out(world: World) -> None:
    day = NOON.replace(hour=0)
    asked = Asked(day, day + timedelta(days=1))
    assert erase(world.services, 1, "cio-ann", "ann").complete
    assert reconcile(world.services, asked) == []
    syncs = [world.ledger.registry.get(one).sync for one in ("a", "b")]
    again = without_ledger(world)
    rebuild(again.services, syncs)
    assert reconcile(again.services, asked) == []


def test_d4_who_is_in_no_people_is_found_by_internal_id(tmp_path: Path) -> None:
    """No sync gets people, and the source has removed their row for good."""
    world = World(tmp_path)
    world.commit("people", person("ann", 0), person("bob", 0), at=during(0))
    world.sync("a", exports=["deliveries"])
    rows = [row("deliveries", one, f"{one}-1", 0) for one in ("ann", "bob")]
    world.commit("deliveries", *rows, at=during(0))
    world.run(0, "deliveries")
    remove(world, "people", "internal_customer_id = 'cio-ann'", during(1))
    world.run(1, "deliveries")
    assert erase(world.services, 1, "cio-ann", "ann").complete
    assert named(world) == []
    write_again = row("deliveries", "ann", "ann-2", 2)
    world.commit("deliveries", write_again, at=during(2))
    world.run(2, "deliveries")
    assert named(world) == []
    with pytest.raises(UnknownPerson):
        erase(world.services, 1, "cio-eve", "ann")


def test_d4_a_place_that_a_sync_sent_to_before_is_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sync()
    world.commit("people", person("ann", 0), at=during(0))
    world.run(0, "people")
    world.commit("people", person("ann", 1, deleted=True), at=during(1))
    world.run(1, "people")
    world.sync("a", 1, destination={"type": "local", "path": "bucket/b"}, at=during(2))
    receipt = erase(world.services, 1, "ann@x.example", "bob")
    assert [one for one in receipt.notes if "lies in another place" in one]


def test_d4_objects_that_nobody_lists_are_told(world: World) -> None:
    """Such as what a ledger that was lost had put, and listed in no manifest yet."""
    (world.folder("a") / "people_v5_1_9.parquet").write_bytes(b"who knows")
    receipt = erase(world.services, 1, "cio-ann", "ann")
    assert [one for one in receipt.notes if "people_v5_1_9" in one and "'a'" in one]
    assert not [one for one in receipt.notes if "'b'" in one]

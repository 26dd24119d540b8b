"""Local folders that are away: a share that is not mounted, a folder that was moved.

With the destinations that the product opens: `World` has some that are made anew.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.model.breakers import BreakerState
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.checking.bucket_looks import look
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.purge import purge, recreate
from cio_pipeline.pipeline.recovery.expire import expire
from cio_pipeline.pipeline.recovery.restore import restore, restore_manifests
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import settings
from cio_pipeline.wiring import open_services
from cio_pipeline_tests.pipeline import feeds
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def wired(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(world.root)
    monkeypatch.setenv("CIO_HOME", str(world.root))
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    opened = open_services(settings())
    world.services = replace(opened.services, clock=lambda: world.now, owner="run 1")
    yield world.services
    opened.ledger.close()


def bytes_below(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def send(world: World, feed: Feed, number: int) -> str:
    """A window with something new in it; the error of its delivery."""
    feeds.commit(world, feed, number)
    outcomes = feeds.run(world, feed, number, world.services)
    return ", ".join(sorted({str(one.error) for one in outcomes if one.error is not None}))


@pytest.mark.parametrize("feed", list(Feed))
def test_nothing_is_sent_into_a_folder_that_is_away_and_all_once_it_is_back(
    world: World, wired: Services, feed: Feed
) -> None:
    world.sync(feed=feed)
    assert send(world, feed, 0) == ""
    away = world.folder().rename(world.root / "away")

    error = send(world, feed, 1)

    assert error.startswith("DestinationUnavailable: The destination's folder is not there")
    assert not world.folder().exists()
    assert str(world.root) not in error
    (breaker,) = wired.ledger.breakers.all().values()
    assert breaker.state is BreakerState.FAILING
    away.rename(world.folder())
    assert send(world, feed, 2) == ""
    report = world.verify()
    assert (report.ok, report.rows) == (True, 3)


def test_manifests_wait_for_their_folder_too(world: World, wired: Services) -> None:
    world.sync()
    assert send(world, Feed.DATA_OUT, 0) == ""
    feeds.commit(world, Feed.DATA_OUT, 1)
    world.now = window(1).end + timedelta(seconds=1)
    run_export(wired, "people", window(1), Scope())
    away = world.folder().rename(world.root / "away")

    done = commit_window(wired, window(1))

    assert not world.folder().exists()
    away.rename(world.folder())
    assert send(world, Feed.DATA_OUT, 2) == ""
    assert world.verify().ok, done
    assert len(world.manifests()) == 3


@pytest.mark.parametrize("made", ["by hand", "by the restore"])
def test_a_folder_that_is_gone_for_good_is_filled_by_a_restore(
    world: World, wired: Services, made: str
) -> None:
    world.sync()
    assert send(world, Feed.DATA_OUT, 0) == ""
    before = bytes_below(world.folder())
    shutil.rmtree(world.folder())
    if made == "by hand":
        world.folder().mkdir()

    told = [*restore(wired), *restore_manifests(wired)]

    assert {one.error for one in told} == {None}
    assert bytes_below(world.folder()) == before
    assert send(world, Feed.DATA_OUT, 1) == ""
    assert world.verify().ok


def test_a_new_place_of_a_sync_is_made_and_so_is_one_that_begins_anew(
    world: World, wired: Services
) -> None:
    world.sync()
    assert send(world, Feed.DATA_OUT, 0) == ""

    world.sync(destination={"type": "local", "path": "bucket/b"})

    assert send(world, Feed.DATA_OUT, 1) == ""
    assert len(world.names("b")) == 1
    disable(wired, Order("a", world.now, "ann"))
    assert purge(wired, Order("a", world.now, "ann", (), sure=True)).done
    shutil.rmtree(world.folder("b"))
    enable(wired, Order("a", world.now, "ann"))
    assert send(world, Feed.DATA_OUT, 2) == ""
    assert len(world.names("b")) == 1


def removed(services: Services, world: World, verb: str) -> str:
    """What a verb that removes or rewrites files of the sync says is wrong; nothing if it does."""
    order = Order("a", world.now, "ann", (), sure=True)
    try:
        if verb == "expire":
            return ", ".join(str(one.error) for one in expire(services) if one.error)
        if verb == "erase":
            receipt = erase(services, 1, "p0", "ann")
            return "" if receipt.complete and receipt.files else str(receipt)
        if verb == "purge":
            disable(services, Order("a", world.now, "ann"))
        {"purge": purge, "recreate": recreate}[verb](services, order)
    except CioError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("verb", ["purge", "recreate", "expire", "erase"])
def test_what_lies_in_a_folder_that_is_away_is_not_taken_for_removed(
    world: World, wired: Services, verb: str
) -> None:
    world.sync(expire_delivered_after="1d")
    assert send(world, Feed.DATA_OUT, 0) == ""
    world.commit("people", person("p0", 1, deleted=True), at=during(1))
    assert not [one for one in world.run(1, "people", services=wired) if one.error]
    before = bytes_below(world.folder())
    away = world.folder().rename(world.root / "away")
    if verb == "expire":
        world.now += timedelta(days=2)

    error = removed(wired, world, verb)

    assert "folder is not there" in error
    assert "DestinationUnavailable" in error
    assert not world.folder().exists()
    away.rename(world.folder())
    assert bytes_below(world.folder()) == before
    assert removed(wired, world, verb) == ""
    assert not before.items() <= bytes_below(world.folder()).items()


def test_who_is_sent_nothing_more_still_learns_that_all_files_are_missing(
    world: World, wired: Services
) -> None:
    world.sync()
    assert send(world, Feed.DATA_OUT, 0) == ""
    world.folder().rename(world.root / "away")
    world.now += timedelta(days=2)

    found = look(wired, Feed.DATA_OUT, {"a": wired.ledger.registry.get("a")})

    assert found["a"].missing

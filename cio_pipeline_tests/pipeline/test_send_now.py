"""D6: all up to now is sent without waiting for the window's end; windows go on from there."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import window_until
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.send_now import SentNow, feeds_with_syncs, send_now
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during, window


def now(world: World, at: datetime, feed: Feed = Feed.DATA_OUT) -> SentNow:
    world.now = at
    return send_now(world.services, feed, Scope())


def ids(world: World) -> list[str]:
    return sorted(world.read("people")["customer_id"])


def test_d6_the_window_that_is_open_sends_the_rest(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0, 1))

    now(world, during(0, 2))

    assert ids(world) == ["ann"]
    assert world.manifests() == ["1.manifest"]
    world.commit("people", person("bob", number=0), at=during(0, 3))
    world.run(0)
    world.commit("people", person("cid", number=1), at=during(1))
    world.run(1)
    assert ids(world) == ["ann", "bob", "cid"]
    assert world.verify().ok


def test_d6_twice_in_one_minute_and_in_one_moment(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0, 1))
    now(world, during(0, 2))
    now(world, during(0, 2))
    world.commit("people", person("bob"), at=during(0, 2.1))
    now(world, during(0, 2.2))
    now(world, during(0, 2.3))
    world.run(0)
    assert ids(world) == ["ann", "bob"]
    assert world.manifests() == ["1.manifest", "2.manifest"]


def test_d6_windows_before_are_covered_and_cuts_only_grow(world: World) -> None:
    """Windows that nobody had run yet send nothing again, however late they are run."""
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    world.commit("people", person("bob"), at=during(2, 1))
    now(world, during(2, 2))
    world.commit("people", person("cid"), at=during(1))  # dated back, and late
    world.run(1)
    world.run(0)
    assert ids(world) == ["ann", "bob"]
    world.run(2)
    assert ids(world) == ["ann", "bob", "cid"]


def test_d6_at_the_very_end_of_a_window(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0))
    sent = now(world, window(0).end)
    assert sent.window.key == window(0).key
    world.run(0)
    world.run(1)
    assert ids(world) == ["ann"]


def test_o5_a_sync_that_is_served_once_a_day_does_not_wait(world: World) -> None:
    world.sync(cadence="1d")
    world.commit("people", person("ann"), at=during(0, 1))
    now(world, during(0, 2))
    assert ids(world) == ["ann"]
    world.commit("people", person("bob"), at=during(0, 3))
    world.run(0)
    assert ids(world) == ["ann"], "not due"
    world.run(47)
    assert ids(world) == ["ann", "bob"]


def test_d6_a_sync_is_no_younger_than_what_it_is_sent(world: World) -> None:
    world.sync(at=during(0, 2))
    assert not any(one.outcomes for one in now(world, during(0, 1)).exports)


@pytest.mark.parametrize(
    ("feed", "fields"), [(Feed.CALLS, {"format": "json", "write_empty": True}), (Feed.MESSAGES, {})]
)
def test_c1_m1_feeds_that_forward(world: World, feed: Feed, fields: dict[str, Any]) -> None:
    """Empty files stand for whole windows alone."""
    world.sync(feed=feed.value, **fields)
    assert feeds_with_syncs(world.services.ledger.registry, Scope()) == [feed]
    sent = now(world, during(0, 2), feed)
    assert not any(outcome.files for one in sent.exports for outcome in one.outcomes)
    assert not world.folder().exists()


def test_d8_its_files_are_restored_with_their_window(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(1, 1))
    now(world, during(1, 2))
    file = world.folder() / "people_v5_1_1.parquet"
    body = file.read_bytes()
    file.unlink()
    assert not restore(world.services, windows=[window(0)])
    assert not restore(world.services, windows=[window(2)])
    (one,) = restore(world.services, windows=[window(1)])
    assert (one.error, file.read_bytes()) == (None, body)


def test_d10_a_ledger_rebuilt_from_the_bucket_goes_on_from_there(world: World) -> None:
    sync = world.sync()
    world.commit("people", person("ann"), at=during(0, 1))
    now(world, during(0, 2))
    world.commit("people", person("bob"), at=during(0, 3))
    world = without_ledger(world)
    rebuild(world.services, [sync])
    world.run(0)
    assert ids(world) == ["ann", "bob"]


def test_d6_one_table_that_cannot_be_read_stops_only_its_exports(world: World) -> None:
    world.sync()
    world.commit("people", person("ann"), at=during(0, 1))
    log = world.root / "source" / "object_types" / "_delta_log"
    max(log.glob("*.json")).write_text("{broken")
    sent = now(world, during(0, 2))
    assert ids(world) == ["ann"]
    assert [text.partition(":")[0] for text in sent.errors] == ["object_types"]


def test_a_window_cut_short() -> None:
    whole = window(0)
    cut = window_until(whole.start + timedelta(seconds=1), Feed.DATA_OUT)
    assert (cut.start, cut.key) == (whole.start, whole.key)
    assert window_until(whole.end, Feed.DATA_OUT).start == whole.start

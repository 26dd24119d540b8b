"""D10: ledgers of feeds that forward are brought back from the bucket like those of data-out."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.calls.steps import call_row, calls_sync
from cio_pipeline_tests.messages.sending import commit_messages, objects, row
from cio_pipeline_tests.recovery.loss import backed_up, restored, without_ledger
from cio_pipeline_tests.world import World, during


@dataclass(frozen=True)
class Feed:
    """How to commit rows (identity, good or bad) in a window, and how to run it."""

    register: Callable[[World], object]
    commit: Callable[..., object]
    run: Callable[[World, int], object]


def _commit_calls(world: World, number: int, **good: bool) -> None:
    rows = [
        {**call_row("track", f'{{"event":"{name}"}}' if fine else "{"), "call_id": name}
        for name, fine in good.items()
    ]
    steps.commit(world, *rows, at=steps.window(number).start)


def _commit_messages(world: World, number: int, **good: bool) -> None:
    rows = [row(name, f'{{"k":"{name}"}}' if fine else "{}") for name, fine in good.items()]
    commit_messages(world, *rows, at=during(number))


MESSAGES = Feed(
    lambda world: world.sync(feed="messages", key_template="data.k"),
    _commit_messages,
    lambda world, number: world.run(number, "messages"),
)
FEEDS = {
    "messages": MESSAGES,
    **{
        name: Feed(
            lambda world, name=name: calls_sync(world, format=name), _commit_calls, steps.run
        )
        for name in ("json", "csv", "parquet")
    },
}


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_d10_what_was_held_back_and_sent_since_is_told_from_what_was_not(
    world: World, feed: Feed
) -> None:
    feed.register(world)
    feed.commit(world, 0, sent=False, stays=False, fine=True)
    feed.run(world, 0)
    backup = backed_up(world)
    feed.commit(world, 1, sent=True, other=True)
    feed.run(world, 1)
    world = restored(world, backup)
    assert len(world.ledger.quarantine.entries()) == 2

    (told,) = catch_up(world.services)

    assert (told.error, told.manifests, told.void) == (None, 1, 0)
    assert [one.identity for one in world.ledger.quarantine.entries()] == ['["stays"]']
    assert not any(one.rows for one in retry_quarantine(world.services))
    assert world.verify().ok


@pytest.mark.parametrize("feed", [MESSAGES, FEEDS["json"]], ids=["messages", "calls"])
def test_d10_files_of_the_first_window_are_put_back_after_the_ledger_was_lost(
    world: World, feed: Feed
) -> None:
    """What came before the sync began was never sent, and does not come into them."""
    feed.commit(world, -2, before=True)
    feed.register(world)
    feed.commit(world, 0, first=True)
    feed.run(world, 0)
    feed.commit(world, 1, second=True)
    feed.run(world, 1)
    before, sync = objects(world), world.ledger.registry.get("a").sync
    world = without_ledger(world)
    (told,) = rebuild(world.services, [sync])
    assert told.error is None
    for key in before:
        (world.folder() / key).unlink()

    assert [one.error for one in restore(world.services)] == [None, None]
    assert objects(world) == before


def test_d10_keys_of_messages_tell_no_numbers(world: World) -> None:
    """M2: any key may be a message's, also one that looks like a file of data-out."""
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m1", '{"k":"people_v5_1_3.parquet"}'), at=during(0))
    world.run(0, "messages")
    sync = world.ledger.registry.get("a").sync
    (told,) = rebuild(without_ledger(world).services, [sync])
    assert (told.error, told.files, told.void) == (None, 1, 0)

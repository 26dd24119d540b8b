"""What planning hands to delivering is a value: no thread and no open lease goes with it (D6)."""

import pickle
import threading
from datetime import timedelta
from typing import Any

import pytest

from cio_pipeline.ledger.leases import Leases
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window, window_holding
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.run_export import deliver_export, plan_export, run_export
from cio_pipeline_tests.messages.sending import commit_messages, row
from cio_pipeline_tests.pipeline import feeds
from cio_pipeline_tests.world import World, during, window

EVERY = pytest.mark.parametrize("feed", list(Feed))


def planned(world: World, feed: Feed) -> tuple[str, Batch]:
    world.sync("a", feed=feed)
    feeds.commit(world, feed, 0)
    world.now = window(0).end
    export = feed.value if feed.facts.forwards else "people"
    return export, plan_export(world.services, export, first(feed), Scope())


def first(feed: Feed) -> Window:
    """The window that holds what feeds.commit commits first."""
    return window_holding(during(0, 5), feed)


@EVERY
def test_a_planned_batch_is_delivered_from_its_bytes(world: World, feed: Feed) -> None:
    _, batch = planned(world, feed)
    assert [one for one in threading.enumerate() if one.name == "lease"] == []
    told = deliver_export(world.services, pickle.loads(pickle.dumps(batch)))  # noqa: S301 - ours
    assert [(one.error, one.rows) for one in told] == [(None, 1)]
    assert world.ledger.leases.holders(world.now) == []


@EVERY
def test_what_nobody_delivers_is_free_once_its_lease_has_run_out(world: World, feed: Feed) -> None:
    export, batch = planned(world, feed)
    heir = world.as_run("run 2")
    assert plan_export(heir, export, first(feed), Scope()).busy != ()
    world.now += TTL + timedelta(seconds=1)
    told = run_export(heir, export, first(feed), Scope())
    assert [(one.error, one.rows) for one in told] == [(None, 1)]
    (late,) = deliver_export(world.services, batch)
    assert str(late.error).startswith("LeaseLost: ")
    assert world.ledger.failing.all() == {}


def test_m4_nothing_is_overwritten_by_a_batch_whose_lease_was_lost(world: World) -> None:
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m1", '{"k":"x","n":1}'), at=during(0))
    world.now = window(0).end
    zombie = plan_export(world.services, "messages", window(0), Scope())
    world.now += TTL + timedelta(seconds=1)
    world.run(0, "messages", services=world.as_run("run 2"))
    commit_messages(world, row("m2", '{"k":"x","n":2}'), at=during(1))
    world.run(1, "messages", services=world.as_run("run 2"))
    (late,) = deliver_export(world.services, zombie)
    assert str(late.error).startswith("LeaseLost: ")
    assert (world.folder() / "x").read_bytes() == b'{"data": {"k":"x","n":2}}'


def test_a_lease_is_renewed_when_it_is_taken_up_late(world: World) -> None:
    """Whoever overwrites must know that nobody else may take over for TTL to come."""
    _, batch = planned(world, Feed.MESSAGES)
    world.now += TTL - timedelta(seconds=1)
    seen: list[object] = []

    def look(_what: str, _done: int, _of: int) -> None:
        seen.append(world.ledger.leases.holders(world.now + TTL - timedelta(seconds=1)))

    deliver_export(world.as_run(world.services.owner, progress=look), batch)
    assert seen
    assert seen[0]


def test_planning_that_fails_leaves_nothing_claimed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.now = window(0).end

    def fail(*_: object) -> None:
        raise LedgerError("It is broken.")

    monkeypatch.setattr("cio_pipeline.pipeline.run_export.plan_batch", fail)
    with pytest.raises(LedgerError):
        plan_export(world.services, "people", window(0), Scope())
    assert world.ledger.leases.holders(world.now) == []


def test_d6_what_its_holder_gives_back_meanwhile_is_decided_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Giving back changes no token: what was decided while it was held says nothing any more."""
    for sync_id in ("a", "b"):
        world.sync(sync_id)
    feeds.commit(world, Feed.DATA_OUT, 0)
    world.run(0, "people")
    feeds.commit(world, Feed.DATA_OUT, 1)
    world.now = window(1).end
    its = plan_export(world.services, "people", window(1), Scope(["a"]))
    claim = Leases.claim
    batches = [its]

    def late(leases: Leases, *given: Any) -> Any:
        while batches:
            deliver_export(world.services, batches.pop())
        return claim(leases, *given)

    monkeypatch.setattr(Leases, "claim", late)
    told = run_export(world.as_run("run 2"), "people", window(1), Scope())

    assert [(one.sync_id, one.error) for one in told if one.error] == []
    world.run(1, "people")
    assert world.read("people", "a").equals(world.read("people", "b"))

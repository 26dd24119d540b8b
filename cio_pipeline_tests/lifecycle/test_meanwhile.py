"""D7, D10: what a sync became meanwhile is seen by those who looked at it before."""

from collections.abc import Callable
from typing import Any

import pytest

from cio_pipeline.model.errors import LeaseHeld, LeaseLost
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.lifecycle.switches import pause
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.lifecycle.doing import do, move, standing
from cio_pipeline_tests.recovery.loss import change, go_on
from cio_pipeline_tests.world import World, window


class Before:
    """Something whose calls of one name happen after something else did, once."""

    def __init__(self, inner: Any, name: str, first: Callable[[], Any]) -> None:
        self.inner, self.name, self.first = inner, name, [first]

    def __getattr__(self, name: str) -> Any:
        if name == self.name and self.first:
            self.first.pop()()
        return getattr(self.inner, name)


def test_d10_a_run_that_lists_what_it_sent_while_its_sync_moves_puts_it_in_the_new_place(
    world: World,
) -> None:
    world.sync()
    go_on(world, range(1))
    change(world, 1)
    world.now = window(1).end
    run_export(world.services, "people", window(1), Scope())

    def moved() -> None:
        move(world, "elsewhere")
        run_export(world.services, "events", window(1), Scope())

    ledger: Any = Before(world.ledger, "", moved)
    ledger.leases = Before(world.ledger.leases, "claim", moved)

    commit_window(world.as_run("late", ledger=ledger), window(1))
    go_on(world, [2])

    report = world.verify()
    assert report.ok, report


def test_d7_a_pause_does_not_undo_a_move_that_came_between(world: World) -> None:
    """What a sync is read under a lease, so that the move has to wait, and is told for whom."""
    world.sync()
    go_on(world, range(1))
    refused: list[LeaseHeld] = []

    def move_between() -> None:
        with pytest.raises(LeaseHeld, match="worked on by late") as told:
            move(world, "elsewhere")
        refused.append(told.value)

    ledger: Any = Before(world.ledger, "", lambda: None)
    ledger.registry = Before(world.ledger.registry, "put", move_between)
    do(world, pause, "people", services=world.as_run("late", ledger=ledger))
    assert refused
    assert standing(world).sync.destination.path == "bucket/a"
    assert not standing(world).switches["people"].enabled
    move(world, "elsewhere")
    assert standing(world).sync.destination.path == "elsewhere"
    assert not standing(world).switches["people"].enabled


def test_d7_a_move_read_before_a_pause_changes_nothing(world: World) -> None:
    world.sync()
    go_on(world, range(1))
    ledger: Any = Before(world.ledger, "", lambda: None)
    ledger.leases = Before(world.ledger.leases, "claim", lambda: do(world, pause, "people"))
    with pytest.raises(LeaseLost, match="changed by somebody else"):
        move(world, "elsewhere", world.as_run("late", ledger=ledger))
    assert standing(world).sync.destination.path == "bucket/a"
    assert not standing(world).switches["people"].enabled
    assert not list((world.root / "elsewhere").rglob("*.*"))

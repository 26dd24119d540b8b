"""A lease is rechecked before each put (D6), by an answer of the ledger that is not too old."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.pipeline.heartbeat import RECENT, TTL, HeldLease
from cio_pipeline_tests.crashes import Fuse, Watched
from cio_pipeline_tests.world import NOON

PAIRS = [("a", "people"), ("b", "people")]


class Run:
    """A run that holds leases, with a clock of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.now = NOON
        self.asked = Fuse()
        lease, _ = ledger.leases.claim(PAIRS, "run", self.now, TTL)
        watched = Watched(ledger.leases, "leases", self.asked)
        self.held = HeldLease(watched, lease, lambda: self.now)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def run(ledger: Ledger) -> Iterator[Run]:
    run = Run(ledger)
    yield run
    run.held.release()


def test_one_answer_serves_all_puts_of_a_second(run: Run) -> None:
    for moment in range(10):
        run.now = NOON + moment * RECENT / 10
        for pair in PAIRS:
            run.held.recheck(pair)
    assert run.asked.names == ["leases.lost"]


@pytest.mark.parametrize("later", [RECENT * 1.01, 2 * TTL, -RECENT * 1.01])
def test_d6_a_run_that_was_held_up_asks_again(run: Run, ledger: Ledger, later: timedelta) -> None:
    run.held.recheck(PAIRS[0])
    _, taken = ledger.leases.claim(PAIRS[:1], "heir", NOON + 2 * TTL, TTL)
    assert not taken, "the heir has it"

    run.now = NOON + later

    with pytest.raises(LeaseLost, match="'people' of sync 'a'"):
        run.held.recheck(PAIRS[0])
    run.held.recheck(PAIRS[1])


def test_a_released_lease_and_a_foreign_pair_are_refused_at_once(run: Run) -> None:
    run.held.recheck(PAIRS[0])
    with pytest.raises(LeaseLost, match="sync 'c'"):
        run.held.recheck(("c", "people"))
    run.held.release()
    with pytest.raises(LeaseLost, match="did not wait"):
        run.held.recheck(PAIRS[0])

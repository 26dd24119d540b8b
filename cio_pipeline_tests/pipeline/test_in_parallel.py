"""Deliveries side by side: how long all wait for the slowest (O8)."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cio_pipeline.pipeline import in_parallel as module
from cio_pipeline.pipeline.in_parallel import FEW, in_parallel
from cio_pipeline_tests.waiting import PATIENCE, until

MOST = 16


@dataclass
class Clock:
    """Time goes on when it is told to."""

    now: float = 0.0
    at_each_look: float = 0.0

    def monotonic(self) -> float:
        self.now += self.at_each_look
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """That of deliveries."""
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_o8_the_slowest_is_waited_for_as_long_as_others_were_begun_lately(clock: Clock) -> None:
    begun, held = threading.Event(), threading.Event()

    def work(item: float) -> None:
        if item < 0:
            begun.set()
            held.wait(PATIENCE)
        begun.wait(PATIENCE)
        clock.now += max(item, 0)

    ended: list[float] = []
    # On two threads: one hangs, the other works on the rest, 0.3 s each.
    for item, _, _ in in_parallel(work, [-1.0, 0.3, 0.3, 0.3, 0.3], 2, 1.0):
        ended.append(item)
        if len(ended) == 4:
            clock.at_each_look = 0.1
    held.set()

    assert ended == [0.3] * 4
    assert clock.now < 2.0, "no second more than its turn: it had hung since the beginning"


def test_o8_others_get_threads_of_their_own_when_all_hang(clock: Clock) -> None:
    held, hanging = threading.Event(), threading.Barrier(2, lambda: pass_by(clock, 1.0))

    def work(item: int) -> None:
        if item < 0:
            hanging.wait(PATIENCE)
            held.wait(PATIENCE)

    assert sorted(item for item, _, _ in in_parallel(work, [-1, -2, 0, 1], 2, 0.5)) == [0, 1]
    held.set()


def pass_by(clock: Clock, seconds: float) -> None:
    clock.now += seconds


def test_what_ended_while_the_caller_was_busy_is_not_given_up(clock: Clock) -> None:
    busy = threading.Event()
    begun: dict[int, threading.Thread] = {}

    def work(item: int) -> None:
        begun[item] = threading.current_thread()
        if item:
            busy.wait(PATIENCE)

    ended: list[int] = []
    for item, _, _ in in_parallel(work, [0, 1, 2], 3, 0.6):
        ended.append(item)
        if not item:
            until("the others", PATIENCE, lambda: len(begun) == 3)
            clock.now += 0.9
            busy.set()
            for one in begun.values():
                one.join()
    assert sorted(ended) == [0, 1, 2]


def test_work_that_waits_gets_many_threads_and_other_work_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_there = threading.Barrier(MOST)
    assert len(threads_of(lambda item: all_there.wait(PATIENCE) if item < MOST else None)) == MOST
    # So long that a busy machine does not look like work that waits.
    monkeypatch.setattr(module, "STILL", 60.0)
    assert len(threads_of(lambda _: None)) <= FEW


def threads_of(work: Callable[[int], object]) -> set[str]:
    """Which threads worked, of at most MOST."""

    def note(item: int) -> str:
        work(item)
        return str(threading.get_ident())

    return {thread for _, thread, _ in in_parallel(note, range(100), MOST)}


def test_work_that_was_given_up_does_not_keep_the_process_alive() -> None:
    code = (
        "import time; from cio_pipeline.pipeline.in_parallel import in_parallel; "
        "assert not list(in_parallel(lambda _: time.sleep(600), [1], 2, patience=0.1))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)

"""Deliveries side by side: how long all wait for the slowest (O8)."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from cio_pipeline.pipeline import in_parallel as module
from cio_pipeline.pipeline.in_parallel import FEW, in_parallel

MOST = 16


def test_o8_the_slowest_is_waited_for_as_long_as_others_were_begun_lately() -> None:
    held = threading.Event()

    def work(item: float) -> None:
        if item < 0:
            held.wait(10)
        time.sleep(max(item, 0))

    start = time.monotonic()
    # On two threads: one hangs, the other works on the rest, 0.3 s each.
    ended = [item for item, _, _ in in_parallel(work, [-1.0, 0.3, 0.3, 0.3, 0.3], 2, 1.0)]
    seconds = time.monotonic() - start
    held.set()

    assert ended == [0.3] * 4
    assert seconds < 2.0, "no second more than its turn: it had hung since the beginning"


def test_o8_others_get_threads_of_their_own_when_all_hang() -> None:
    held = threading.Event()
    items = [-1.0, -2.0, 0.0, 0.1]

    def work(item: float) -> None:
        if item < 0:
            held.wait(10)
        time.sleep(max(item, 0))

    assert sorted(item for item, _, _ in in_parallel(work, items, 2, 0.5)) == [0.0, 0.1]
    held.set()


def test_what_ended_while_the_caller_was_busy_is_not_given_up() -> None:
    ended: list[float] = []
    for item, _, _ in in_parallel(time.sleep, [0.0, 0.3, 0.5], 3, 0.6):
        ended.append(item)
        if not item:
            time.sleep(0.9)
    assert ended == [0.0, 0.3, 0.5]


def test_work_that_waits_gets_many_threads_and_other_work_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(threads_of(lambda _: time.sleep(0.1))) == MOST
    # So long that a busy machine does not look like work that waits.
    monkeypatch.setattr(module, "STILL", 60.0)
    assert len(threads_of(lambda _: None)) <= FEW


def threads_of(work: Callable[[int], None]) -> set[str]:
    """Which threads worked, of at most MOST."""

    def note(item: int) -> str:
        work(item)
        return str(threading.get_ident())

    return {thread for _, thread, _ in in_parallel(note, range(100), MOST)}


def test_work_that_was_given_up_does_not_keep_the_process_alive() -> None:
    code = (
        "import time; from cio_pipeline.pipeline.in_parallel import in_parallel; "
        "assert not list(in_parallel(lambda _: time.sleep(60), [1], 2, patience=0.1))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=40)

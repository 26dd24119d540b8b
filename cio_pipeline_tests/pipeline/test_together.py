"""Questions of many threads, put as one."""

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from cio_pipeline.pipeline.together import Together

OTHERS = range(1, 20)


class Slow:
    """Squares even numbers; the first question takes until `go_on`."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: Collection[int]) -> Mapping[int, int]:
        self.asked.append(set(items))
        if len(self.asked) == 1:
            self.begun.set()
            assert self.go_on.wait(10)
        return {item: item**2 for item in items if item % 2 == 0}


def test_what_is_asked_during_a_question_waits_for_the_next_and_shares_it() -> None:
    slow = Slow()
    together = Together[int, int](slow)
    with ThreadPoolExecutor(len(OTHERS) + 1) as pool:
        first = pool.submit(together.of, 0)
        assert slow.begun.wait(10)
        others = [pool.submit(together.of, item) for item in OTHERS]
        while len(together.gathered) < len(OTHERS):
            assert not any(other.done() for other in others)
        slow.go_on.set()
        answers = [other.result(10) for other in others]

    assert first.result() == 0
    assert answers == [item**2 if item % 2 == 0 else None for item in OTHERS]
    assert slow.asked == [{0}, set(OTHERS)]


def test_an_error_reaches_all_who_asked_and_the_next_question_is_put_anew() -> None:
    failing = True

    def ask(items: Collection[int]) -> Mapping[int, int]:
        if failing:
            raise ZeroDivisionError
        return dict.fromkeys(items, 1)

    together = Together[int, int](ask)
    with pytest.raises(ZeroDivisionError):
        together.of(1)
    failing = False
    assert together.of(1) == 1

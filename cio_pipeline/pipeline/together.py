"""Questions that many threads ask at the same time, put as one."""

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
A = TypeVar("A")


class Together(Generic[T, A]):
    """Gathers what is asked while another question is under way, and asks for all of it at once.

    No answer is older than its question: a question that is under way takes up nothing more.
    """

    def __init__(self, ask: Callable[[Collection[T]], Mapping[T, A]]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._gathering = threading.Lock()
        self._next: tuple[set[T], Future[Mapping[T, A]]] | None = None

    def of(self, item: T) -> A | None:
        """The answer for an item, None if there is none; raises what the question raises."""
        with self._gathering:
            first = self._next is None
            items, answers = self._next = self._next or (set[T](), Future[Mapping[T, A]]())
            items.add(item)
        if first:
            with self._asking:
                with self._gathering:
                    self._next = None
                self._answer(items, answers)
        return answers.result().get(item)

    @property
    def gathered(self) -> Collection[T]:
        """What waits for the next question."""
        with self._gathering:
            return frozenset(self._next[0]) if self._next else frozenset()

    def _answer(self, items: Collection[T], answers: Future[Mapping[T, A]]) -> None:
        try:
            answers.set_result(self._ask(items))
        except BaseException as error:  # noqa: BLE001 - raised by result(), in each thread
            answers.set_exception(error)

"""Doing the same for many at a time: no error stops the others, nor does the slowest (O8).

The standard library's pool would be as good but for two things. It joins its threads when the
process ends, so that a destination that never answers would keep a finished run alive; and it
starts a thread for every item at once, where most end before a second thread would help.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cio_pipeline.model.breakers import trip_of
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.failures import Failure

T = TypeVar("T")
R = TypeVar("R")

FEW = 2
"""Threads to begin with: where work does not wait, more of them only wait for each other."""

STILL = 0.01
"""Seconds without an end after which there are twice as many: their work waits for something."""


def in_parallel(
    work: Callable[[T], R], items: Sequence[T], threads: int, patience: float | None = None
) -> Iterator[tuple[T, R, float]]:
    """(item, what its work returned, seconds) in the order in which they come to an end.

    Once all that is being worked on was begun more than `patience` seconds ago, it is given up: it
    is not returned, and goes on unheeded. What `work` raises is raised here.
    """
    servers = _Servers(work, items)
    servers.begin(min(FEW, threads))
    waited_for, given_up = len(items), False
    try:
        while waited_for and not given_up:
            ended = servers.ended_within(min(_left(servers.under_way, patience), STILL))
            if not ended:
                given_up = _left(servers.under_way, patience) == 0
                more = min(len(servers.threads), threads - len(servers.threads), len(servers.todo))
                servers.begin(0 if given_up else more)
            waited_for -= len(ended)
            for number, result, seconds in ended:
                if isinstance(result, _Raised):
                    raise result.error
                yield items[number], result, seconds
    finally:
        # Those whose turn had not come yet get threads that nobody occupies.
        unstarted = servers.stop(wait=not given_up)
    if given_up and unstarted:
        yield from in_parallel(work, unstarted, threads, patience)


@dataclass(frozen=True)
class _Raised:
    """Stands for a result."""

    error: BaseException


class _Servers(Generic[T, R]):
    """Threads that work on what is `todo`.

    `under_way` tells by number when each was begun whose end nobody has heard of yet.
    """

    def __init__(self, work: Callable[[T], R], items: Sequence[T]) -> None:
        self._work = work
        self.todo = deque(enumerate(items))
        self.under_way: dict[int, float] = {}
        self._ended: deque[tuple[int, R | _Raised, float]] = deque()
        self._nothing_to_do = threading.Event()
        self.threads: list[threading.Thread] = []

    def begin(self, number: int) -> None:
        """Start so many more threads."""
        for _ in range(number):
            # Who is given up must not keep the process alive; `stop` waits for all others.
            self.threads.append(threading.Thread(target=self._serve, name="deliver", daemon=True))
            self.threads[-1].start()

    def ended_within(self, seconds: float) -> list[tuple[int, R | _Raised, float]]:
        """What ended since the last look, after so many seconds or once nothing is left to begin.

        To wake the caller for each would cost as much as putting a small file.
        """
        self._nothing_to_do.wait(seconds)
        self._nothing_to_do.clear()
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        for number, _, _ in ended:
            del self.under_way[number]
        return ended

    def stop(self, *, wait: bool) -> list[T]:
        """Begin nothing more; returns what was not begun yet."""
        unstarted = [item for _, item in iter(self._next, None)]
        for thread in self.threads if wait else ():
            thread.join()
        return unstarted

    def _next(self) -> tuple[int, T] | None:
        try:
            return self.todo.popleft()
        except IndexError:
            return None

    def _serve(self) -> None:
        for number, item in iter(self._next, None):
            begun = self.under_way[number] = time.monotonic()
            try:
                result = self._work(item)
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                result = _Raised(error)
            self._ended.append((number, result, time.monotonic() - begun))
            if not self.todo:
                self._nothing_to_do.set()


def _left(under_way: Mapping[int, float], patience: float | None) -> float:
    """How long to wait still for what was begun last."""
    if patience is None:
        return threading.TIMEOUT_MAX
    now = time.monotonic()
    # A copy: threads begin others meanwhile.
    return max(0.0, max(list(under_way.values()), default=now) + patience - now)


def together_or_alone(
    work: Callable[[Sequence[T]], None], items: Sequence[T]
) -> list[tuple[T, Failure]]:
    """Work on all together or, if that fails, on one after the other; for whom it failed, why."""
    failure = caught(lambda: work(items)) if items else None
    if failure is None:
        return []
    if len(items) == 1:
        return [(items[0], failure)]
    return [failed for one in items for failed in together_or_alone(work, [one])]


UNEXPECTED = "Unexpected"


def caught(work: Callable[[], object]) -> Failure | None:
    """Run some work for one sync and turn its error into a value."""
    try:
        work()
    except CioError as error:
        return Failure.of(error, trip_of(error))
    except Exception as error:  # noqa: BLE001 - O8: no error of one sync may reach the others
        # The text of an unforeseen error may carry a credential or a row: only its type is kept.
        return Failure(UNEXPECTED, f"Unexpected {type(error).__name__}; see docs/operations.md.")
    return None

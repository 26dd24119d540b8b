"""Doing the same for many at a time, without waiting for ever for the slowest."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    work: Callable[[T], R], items: Sequence[T], threads: int, patience: float | None = None
) -> Iterator[tuple[T, R, float]]:
    """(item, what its work returned, seconds) in the order in which they come to an end.

    Once all that is being worked on was begun more than `patience` seconds ago, it is given up: it
    is not returned, and goes on unheeded. What `work` raises is raised here.
    """
    if len(items) == 1 and patience is None:
        yield (items[0], *_timed(work, items[0]))
        return
    ended: SimpleQueue[Future[tuple[R, float]]] = SimpleQueue()
    pool = ThreadPoolExecutor(min(threads, len(items) or 1), thread_name_prefix="deliver")
    under_way: dict[int, float] = {}

    def run(number: int) -> tuple[R, float]:
        under_way[number] = time.monotonic()
        return _timed(work, items[number])

    waiting = {pool.submit(run, number): number for number in range(len(items))}
    for future in waiting:
        future.add_done_callback(ended.put)
    given_up = False
    try:
        while waiting and not given_up:
            try:
                future = ended.get(timeout=_left(under_way, patience))
            except Empty:
                given_up = _left(under_way, patience) == 0
                continue
            number = waiting.pop(future)
            del under_way[number]
            yield (items[number], *future.result())
    finally:
        # Those whose turn had not come yet get threads that nobody occupies.
        unstarted = [items[number] for future, number in waiting.items() if future.cancel()]
        pool.shutdown(wait=not given_up)
    if given_up and unstarted:
        yield from in_parallel(work, unstarted, threads, patience)


def _left(under_way: Mapping[int, float], patience: float | None) -> float | None:
    """How long to wait still for what was begun last; None: for ever."""
    if patience is None:
        return None
    now = time.monotonic()
    # A copy: threads begin others meanwhile.
    return max(0.0, max(list(under_way.values()), default=now) + patience - now)


def _timed(work: Callable[[T], R], item: T) -> tuple[R, float]:
    start = time.monotonic()
    return work(item), time.monotonic() - start

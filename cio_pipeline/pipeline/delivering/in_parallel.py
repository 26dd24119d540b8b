"""Doing the same for many at a time, without waiting for ever for the slowest."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    work: Callable[[T], R], items: Sequence[T], threads: int, patience: float | None = None
) -> Iterator[tuple[T, R, float]]:
    """(item, what its work returned, seconds) in the order in which they come to an end.

    Once nothing has come to an end for `patience` seconds, what is being worked on is given up: it
    is not returned, and goes on unheeded. What `work` raises is raised here.
    """
    if len(items) == 1 and patience is None:
        yield (items[0], *_timed(work, items[0]))
        return
    ended: SimpleQueue[Future[tuple[R, float]]] = SimpleQueue()
    pool = ThreadPoolExecutor(min(threads, len(items) or 1), thread_name_prefix="deliver")
    waiting: dict[Future[tuple[R, float]], T] = {}
    for item in items:
        waiting[pool.submit(_timed, work, item)] = item
    for future in waiting:
        future.add_done_callback(ended.put)
    given_up = False
    try:
        while waiting:
            future = ended.get(timeout=patience)
            item = waiting.pop(future)
            yield (item, *future.result())
    except Empty:
        given_up = True
    finally:
        # Those whose turn had not come yet get threads that nobody occupies.
        unstarted = [item for future, item in waiting.items() if future.cancel()]
        pool.shutdown(wait=not given_up)
    if given_up and unstarted:
        yield from in_parallel(work, unstarted, threads, patience)


def _timed(work: Callable[[T], R], item: T) -> tuple[R, float]:
    start = time.monotonic()
    return work(item), time.monotonic() - start

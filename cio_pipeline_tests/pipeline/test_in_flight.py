"""The budget of bytes that puts share."""

import threading
import time

import pytest

from cio_pipeline.pipeline.feeds.put_files import InFlight


def test_no_more_bytes_than_the_limit_are_held_at_a_time() -> None:
    budget, held, most = InFlight(10), [0], [0]
    lock = threading.Lock()

    def put(size: int) -> None:
        with budget.holding(size):
            with lock:
                held[0] += min(size, 10)
                most[0] = max(most[0], held[0])
            time.sleep(0.002)
            with lock:
                held[0] -= min(size, 10)

    threads = [threading.Thread(target=put, args=(size,)) for size in (4, 7, 3, 25, 1, 10) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 7 < most[0] <= 10


def test_a_put_that_fails_gives_its_bytes_back() -> None:
    budget = InFlight(1)
    with pytest.raises(OSError, match="broken"), budget.holding(1):
        raise OSError("broken")
    with budget.holding(1):
        pass

"""A limit to the bytes that are being put at a time."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class InFlight:
    """A budget of bytes that threads share; what is larger than all of it goes alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, size: int) -> Generator[None]:
        """Wait until `size` bytes fit in, and hold them."""
        size = min(size, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._limit)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()

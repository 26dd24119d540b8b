"""A destination that gets no more than so many objects a second (O8)."""

import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from cio_pipeline.ports import Destination


class Pace:
    """Turns that are a fixed time apart; threads take them one after the other."""

    def __init__(self, per_second: float) -> None:
        self._apart = 1 / per_second
        self._next = 0.0
        self._taking = threading.Lock()

    def wait(self) -> None:
        """Return when the next turn has come."""
        with self._taking:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart
        time.sleep(turn - now)


@cache
def pace_of(sync_id: str, per_second: float) -> Pace:  # noqa: ARG001 - tells them apart
    """One for all that this process puts for a sync."""
    return Pace(per_second)


def paced(inner: Destination, pace: Pace) -> Destination:
    """The same destination, with a turn for each object that is put."""
    return cast("Destination", _Paced(inner, pace))


class _Paced:
    def __init__(self, inner: Destination, pace: Pace) -> None:
        self._inner, self._pace = inner, pace
        self._turns = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def await_turn(self) -> None:
        self._pace.wait()
        self._turns.come = True

    def _take_turn(self) -> None:
        if not getattr(self._turns, "come", False):
            self._pace.wait()
        self._turns.come = False

    def put(self, key: str, file: Path, sha256: str, *, synced: bool = False) -> None:
        self._take_turn()
        self._inner.put(key, file, sha256, synced=synced)

    def put_bytes(self, key: str, body: bytes) -> None:
        self._take_turn()
        self._inner.put_bytes(key, body)

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        self._take_turn()
        self._inner.overwrite(key, body, metadata)

    def replace(self, key: str, file: Path, sha256: str) -> None:
        self._take_turn()
        self._inner.replace(key, file, sha256)

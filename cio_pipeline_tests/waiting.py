"""Waiting for what others do: as long as it takes on a busy machine, and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 300.0
"""Seconds for what takes moments on an idle machine."""

T = TypeVar("T")


def until(what: str, seconds: float, ask: Callable[[], T | None], *, every: float = 0.02) -> T:
    """What `ask` gives once it gives something, asked often; fails by name after some seconds."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"After {seconds:.0f} s still waiting for: {what}.")
        time.sleep(every)
    return found

"""Asking a store again, where its client does not do so itself."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from cio_pipeline.destinations.patience import Patience
from cio_pipeline.model.errors import Transient

T = TypeVar("T")


def keep_trying(
    patience: Patience, work: Callable[[], T], but: tuple[type[Transient], ...] = ()
) -> T:
    """Do some work, and again after a Transient error; the last of them is raised.

    Errors of a kind in `but` are raised at once: the client has waited already.
    """
    end = time.monotonic() + patience.altogether.total_seconds()
    wait = patience.first_wait.total_seconds()
    for _ in range(patience.retries):
        try:
            return work()
        except but:
            raise
        except Transient:
            if time.monotonic() + wait > end:
                raise
        time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads the load
        wait = min(wait * 2, patience.longest_wait.total_seconds())
    return work()

"""How long a store may take, how often it is asked again, and asking where no client does so."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from cio_pipeline.model.errors import Transient

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig


@dataclass(frozen=True)
class Patience:
    """Limits of one request, and of its retries with growing, jittered waits."""

    connect: timedelta = timedelta(seconds=5)
    stalled: timedelta = timedelta(seconds=20)
    request: timedelta = timedelta(seconds=120)
    retries: int = 4
    first_wait: timedelta = timedelta(milliseconds=200)
    longest_wait: timedelta = timedelta(seconds=5)
    altogether: timedelta = timedelta(seconds=20)

    def for_a_trial(self) -> "Patience":
        """Less, for somebody who waits for the answer and can ask again."""
        return replace(self, retries=min(self.retries, 1), altogether=timedelta(seconds=5))

    def client(self, *, allow_http: bool) -> "ClientConfig":
        """As obstore's client options; `stalled` bounds each read, `request` the whole of it."""
        return {
            "allow_http": allow_http,
            "connect_timeout": self.connect,
            "read_timeout": self.stalled,
            "timeout": self.request,
        }

    def retry(self) -> "RetryConfig":
        """As obstore's retries: of 5xx answers, refused connections and lost safe requests."""
        return {
            "max_retries": self.retries,
            "retry_timeout": self.altogether,
            "backoff": {"init_backoff": self.first_wait, "max_backoff": self.longest_wait},
        }


T = TypeVar("T")


def keep_trying(patience: Patience, work: Callable[[], T], only: type[Transient] = Transient) -> T:
    """Do some work, and again after a Transient error; the last of them is raised.

    Other errors than of the kind `only` are raised at once: the client has tried again already.
    """
    end = time.monotonic() + patience.altogether.total_seconds()
    wait = patience.first_wait.total_seconds()
    for _ in range(patience.retries):
        try:
            return work()
        except only:
            if time.monotonic() + wait > end:
                raise
        time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads the load
        wait = min(wait * 2, patience.longest_wait.total_seconds())
    return work()

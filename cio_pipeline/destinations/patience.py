"""How long a store may take, and how often it is asked again."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

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

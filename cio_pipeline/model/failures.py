"""What went wrong for one sync, as a value and as a state: it must not stop the others (O8)."""

from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.errors import CioError, LeaseHeld

HELD_BACK = "BreakerOpen"
"""The kind of what was not tried, since the sync's breaker is open."""


@dataclass(frozen=True)
class Failure:
    """Why something was not done for a sync; it carries no secret and no row's values.

    `kind` is the name of the error's type, or a word of ours. `trip` is what the destination's
    breaker has to know; None if it had no part in it.
    """

    kind: str
    message: str
    next_step: str = ""
    trip: Trip | None = None

    @classmethod
    def of(cls, error: CioError, trip: Trip | None = None) -> "Failure":
        """An error of ours as a value."""
        return cls(type(error).__name__, error.message, error.next_step, trip)

    @property
    def held(self) -> bool:
        """Whether another run was at it."""
        return self.kind == LeaseHeld.__name__

    @property
    def text(self) -> str:
        """What is wrong and what to do next."""
        return f"{self.message} {self.next_step}".strip()

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of some work for a sync: `error` is None if it was done."""

    error: Failure | None = None

    @property
    def told(self) -> str:
        """What is wrong, in words; nothing if it was done."""
        return self.error.text if self.error else ""

    @property
    def held(self) -> bool:
        """Whether it was not done since another run was at it."""
        return self.error is not None and self.error.held


@dataclass(frozen=True)
class Failing:
    """What went wrong in the windows that end in `(since, until]`, scrubbed.

    `windows` is in how many it was seen; `kind` and `message` are of the latest of them. A
    delivery beyond `until` ends the state.
    """

    since: datetime
    until: datetime
    windows: int
    kind: str
    message: str

    def covers(self, window_end: datetime) -> bool:
        """Whether a window counts as failed."""
        return self.since < window_end <= self.until

"""An error as a state: since when a (sync, export) fails, and why."""

from dataclasses import dataclass
from datetime import datetime


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

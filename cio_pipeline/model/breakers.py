"""Breakers: what keeps a sync whose destination fails from holding up the others (O8)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cio_pipeline.model.errors import CioError, DestinationError, DestinationUnavailable
from cio_pipeline.model.times import utc


class Trip(StrEnum):
    """What a delivery says of its destination, if it was not in order."""

    FAILED = "failed"
    """It may answer again by itself."""
    REFUSED = "refused"
    """It stays so until somebody acts."""
    SLOW = "slow"
    """It takes files, but others would have to wait for it."""


class BreakerState(StrEnum):
    """Why a sync is treated in a way of its own."""

    FAILING = "failing"
    STOPPED = "stopped"
    SLOW = "slow"


@dataclass(frozen=True)
class Breaker:
    """How the destination of a sync did in its last runs; a sync in order has none.

    `failures` counts consecutive runs that failed since `since`; `run` was the last of them and
    ended with the error `kind` and `message`, scrubbed. `until` is when a failing one is tried
    again, and how long a slow one has a lane of its own; a stopped one waits for an operator.
    """

    sync_id: str
    state: BreakerState
    failures: int
    since: datetime
    until: datetime
    run: str
    kind: str
    message: str

    def open(self, now: datetime) -> bool:
        """Whether nothing is sent now."""
        match self.state:
            case BreakerState.STOPPED:
                return True
            case BreakerState.FAILING:
                return now < self.until
            case BreakerState.SLOW:
                return False

    def slow(self, now: datetime) -> bool:
        """Whether the sync is served in a lane of its own."""
        return self.state is BreakerState.SLOW and now < self.until

    def describe(self, now: datetime) -> str:
        """A few words for a table."""
        match self.state:
            case BreakerState.STOPPED:
                return "stopped"
            case BreakerState.FAILING if self.open(now):
                return f"open until {utc(self.until)}"
            case BreakerState.FAILING:
                return f"failed {self.failures} x, is tried again"
            case BreakerState.SLOW:
                return "slow, has runs of its own"


def trip_of(error: CioError) -> Trip | None:
    """What an error says of the sync's destination; None if it concerns something else."""
    if isinstance(error, DestinationError):
        return Trip.REFUSED
    return Trip.FAILED if isinstance(error, DestinationUnavailable) else None

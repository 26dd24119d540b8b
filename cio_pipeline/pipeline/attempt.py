"""Work for one sync whose error becomes a value, so that it never stops the others (O8)."""

from collections.abc import Callable
from dataclasses import dataclass

from cio_pipeline.model.breakers import Trip, trip_of
from cio_pipeline.model.errors import CioError, LeaseHeld


@dataclass(frozen=True)
class Failure:
    """Why a plan was not delivered; its text carries no secret and no row's values."""

    kind: str
    message: str
    trip: Trip | None = None

    @property
    def held(self) -> bool:
        """Whether another run was at it."""
        return self.kind == LeaseHeld.__name__


UNEXPECTED = "Unexpected"


def attempt(work: Callable[[], None]) -> Failure | None:
    """Run some work for one sync and turn its error into a value."""
    try:
        work()
    except CioError as error:
        return Failure(type(error).__name__, str(error), trip_of(error))
    except Exception as error:  # noqa: BLE001 - O8: no error of one sync may reach the others
        # The text of an unforeseen error may carry a credential or a row: only its type is kept.
        return Failure(UNEXPECTED, f"Unexpected {type(error).__name__}; see docs/operations.md.")
    return None

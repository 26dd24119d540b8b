"""Work for one sync whose error becomes a value, so that it never stops the others (O8)."""

from collections.abc import Callable

from cio_pipeline.model.breakers import trip_of
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.failures import Failure

UNEXPECTED = "Unexpected"


def attempt(work: Callable[[], None]) -> Failure | None:
    """Run some work for one sync and turn its error into a value."""
    try:
        work()
    except CioError as error:
        return Failure.of(error, trip_of(error))
    except Exception as error:  # noqa: BLE001 - O8: no error of one sync may reach the others
        # The text of an unforeseen error may carry a credential or a row: only its type is kept.
        return Failure(UNEXPECTED, f"Unexpected {type(error).__name__}; see docs/operations.md.")
    return None

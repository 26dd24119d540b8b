"""What a file is called that cannot be read, whoever finds out: the check or a library's reader."""

from collections.abc import Generator
from contextlib import contextmanager

from polars.exceptions import PanicException, PolarsError

from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.errors import CioError, DestinationError, FileAltered, ObjectMissing
from cio_pipeline.reader.files import FeedFile

_LOOK_AGAIN = (
    "If it was rewritten or purged just now, read again in a minute. If it stays so, "
    "`cio-pipeline verify` says what is wrong."
)


@contextmanager
def readable(file: FeedFile) -> Generator[None]:
    """Name the file that cannot be read as what its name or manifest says.

    Raises FileAltered, ObjectMissing if it went, and DestinationError for what the system forbids.
    """
    try:
        yield
    except OSError as error:
        raise unread(file, error) from None
    except (PolarsError, PanicException, ValueError) as error:
        # Its text may quote a row.
        raise FileAltered(
            f"'{file.key}' cannot be read ({type(error).__name__}).",
            "It was cut short or altered, or others put it there: have it delivered again, or "
            "remove it.",
        ) from None


def unread(file: FeedFile, error: OSError) -> CioError:
    """The error for a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return missing(file)
    return DestinationError(
        f"Cannot read '{file.key}': {reason(error)}.",
        "Give this user the right to read it.",
    )


def missing(file: FeedFile) -> ObjectMissing:
    """The error for a file that is listed and not there, for who reads it."""
    return ObjectMissing(
        f"'{file.key}' is gone.",
        "If files are deleted after some days, or once they were loaded, what they held cannot be "
        f"read again. {_LOOK_AGAIN}",
    )


def altered(file: FeedFile) -> FileAltered:
    """The error for a file with other bytes than its manifest tells of."""
    return FileAltered(f"'{file.key}' does not hold what was delivered.", _LOOK_AGAIN)

"""What a failed operation on a local folder means, as the product's errors."""

import errno
from collections.abc import Generator
from contextlib import contextmanager

from obstore.exceptions import BaseError, InvalidPathError

from cio_pipeline.files.failures import NO_PERMISSION, NO_SPACE, error_number, reason
from cio_pipeline.model.errors import (
    CioError,
    DestinationError,
    DestinationUnavailable,
    DiskFull,
    InvalidKey,
    ObjectMissing,
)

_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST})
_NOT_ANSWERING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EAGAIN})
_BAD_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ})

_NO_FOLDER_TWICE = (
    "A file lies where a folder is needed, or a folder where the file is: move it away, or use "
    "keys that are not the folder of another one."
)

_MEANINGS: tuple[tuple[frozenset[int], type[CioError], str], ...] = (
    (NO_SPACE, DiskFull, "Free some space on that disk; the next run goes on from there."),
    (NO_PERMISSION, DestinationError, "Give this user the right to {doing} in that folder."),
    (_IN_THE_WAY, InvalidKey, _NO_FOLDER_TWICE),
    (_NOT_ANSWERING, DestinationUnavailable, "Check the disk or the share; it is tried again."),
    (_BAD_NAME, InvalidKey, "A local folder cannot hold a file of that name: rename it."),
)


@contextmanager
def named_errors(doing: str, key: str) -> Generator[None]:
    """Raises the product's errors for those of obstore and the operating system.

    Their texts hold paths of this machine, so they are not passed on (`from None`).
    """
    try:
        yield
    except CioError:
        raise
    except (OSError, BaseError, ValueError) as error:
        raise _named(error, doing, key) from None


def missing(key: str) -> ObjectMissing:
    """The error for an object that is not there."""
    return ObjectMissing(
        f"There is no object '{key}'.", "`cio-pipeline verify` lists what is lost."
    )


def _named(error: Exception, doing: str, key: str) -> CioError:
    number = errno.ENAMETOOLONG if _is_bad_name(error) else error_number(error)
    # A path through a file, or one that is a folder, leads to no object.
    nowhere = isinstance(error, FileNotFoundError) or number in _IN_THE_WAY
    if nowhere and doing in {"read", "delete"}:
        return missing(key)
    place = "the destination's folder" if key == "." else f"'{key}'"
    what = f"Cannot {doing} {place}: {reason(error)}."
    for numbers, kind, next_step in _MEANINGS:
        if number in numbers:
            return kind(what, next_step.format(doing=doing))
    return DestinationError(what, "Check the destination's folder.")


def _is_bad_name(error: Exception) -> bool:
    # obstore refuses some names itself: control characters, and `#1` at the end, which its own
    # unfinished files have.
    return isinstance(error, InvalidPathError | ValueError) or "InvalidPath" in str(error)

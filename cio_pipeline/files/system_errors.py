"""What a failed read or write means: the operating system's number behind any library's exception.

Polars and obstore (both Rust) give the number in the text only, so it is looked for there too; so
does Polars with errors of files that are Python's.
"""

import errno
import os
import re

from cio_pipeline.model.errors import CioError, DiskFull, InvalidConfig

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""A disk, a quota or a limit of file size is used up."""

NO_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""The operating system forbids it."""

_IN_TEXT = re.compile(r"\(os error (\d+)\)|\bcode: (\d+)|\[Errno (\d+)\]")


def error_number(error: BaseException) -> int | None:
    """The errno behind an exception, from its attribute or its text; None if it has none."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    match = _IN_TEXT.search(str(error))
    return int(match[1] or match[2] or match[3]) if match else None


def reason(error: BaseException) -> str:
    """The operating system's words for the error, without paths; else the exception's type."""
    number = error_number(error)
    return os.strerror(number) if number else type(error).__name__


def unread(error: BaseException) -> str:
    """Why a row is held back that cannot be read for a cause nobody foresaw; without its values."""
    return f"cannot be read ({type(error).__name__})"


def spool_error(error: BaseException) -> CioError | None:
    """The error to raise if it is the spool that failed; None if it is anything else."""
    if error_number(error) in NO_SPACE:
        return DiskFull(
            f"No space left in the spool ({reason(error)}).",
            "Free some, or point CIO_HOME to a larger disk; the next run starts the file again.",
        )
    if error_number(error) in NO_PERMISSION:
        return InvalidConfig(
            f"The spool cannot be written ({reason(error)}).",
            "Give this user the right to write below CIO_HOME, or point it elsewhere.",
        )
    return None

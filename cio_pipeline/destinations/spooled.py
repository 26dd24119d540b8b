"""Spooled files on their way to a store, held against what was sealed, and copies of objects."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from cio_pipeline.files.system_errors import reason, spool_error
from cio_pipeline.model.errors import DestinationUnavailable

AT_ONCE = 16 * 1024 * 1024
"""Bytes up to which a file goes to a store over the network in one request, with create."""

PART = 8 * 1024 * 1024
"""Bytes of a part of a larger one."""


def spooled(key: str, file: Path, sha256: str, chunk_size: int = 1024 * 1024) -> Iterator[bytes]:
    """The bytes of a spooled file; raises DestinationUnavailable unless they are those sealed.

    It raises after the last chunk: what was made of the chunks must not become visible before.
    """
    digest = hashlib.sha256()
    try:
        with file.open("rb") as body:
            while chunk := body.read(chunk_size):
                digest.update(chunk)
                yield chunk
    except OSError as error:
        raise unspooled(key, f"cannot be read ({reason(error)})") from error
    if digest.hexdigest() != sha256:
        raise not_sealed(key)


def spooled_size(key: str, file: Path) -> int:
    """The size of a spooled file; raises DestinationUnavailable."""
    try:
        return file.stat().st_size
    except OSError as error:
        raise unspooled(key, f"cannot be read ({reason(error)})") from error


def not_sealed(key: str) -> DestinationUnavailable:
    """The error for a spooled file that was altered."""
    return unspooled(key, "is not the one that was sealed")


def unspooled(key: str, problem: str) -> DestinationUnavailable:
    """The error for a spooled file that has a problem."""
    return DestinationUnavailable(
        f"The spooled file for '{key}' {problem}.", "The next run encodes it again."
    )


@contextmanager
def copying(key: str) -> Generator[None]:
    """Names what keeps a local copy of an object from being written."""
    try:
        yield
    except OSError as error:
        raise spool_error(error) or DestinationUnavailable(
            f"The local copy of '{key}' cannot be written ({reason(error)}).",
            "Look at the disk that CIO_HOME is on.",
        ) from error

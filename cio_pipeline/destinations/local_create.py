"""Creating a file in one step, never over another, however large it is.

The bytes go to `<name>#<n>` beside it, which is synced and then linked to the name: a reader sees
the whole file or none. obstore's own create-only put would hold the whole body in memory, and
does not sync.
"""

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

UNFINISHED = re.compile(r"#[0-9]+$")
"""The end of the names of unfinished files; obstore lists none of them."""


def create(path: Path, chunks: Iterable[bytes]) -> bool:
    """Create a file, durably; False if its name is taken.

    Raises OSError, and whatever `chunks` raises; then nothing is left.
    """
    if os.path.lexists(path):
        return False
    descriptor, unfinished = _open_new(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(descriptor)
        # FileNotFoundError: another writer of this name was first, and cleared up after itself.
        os.link(unfinished, path)
    except (FileExistsError, FileNotFoundError):
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def replace(path: Path, body: bytes) -> None:
    """Write a file in place of what lies there, durably and in one step; raises OSError."""
    descriptor, unfinished = _open_new(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except FileNotFoundError:
        # Another writer of this name, one that lost its lease, took it for a leftover.
        replace(path, body)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def clear_leftovers(path: Path) -> None:
    """Remove what killed writers of a file that is there have left.

    Safe even if another writer is at it: the name is taken, so its link could only fail, and one
    that replaces writes again.
    """
    for number in itertools.count(1):
        try:
            _unfinished(path, number).unlink()
        except FileNotFoundError:
            return


def _open_new(path: Path) -> tuple[int, Path]:
    for number in itertools.count(1):
        unfinished = _unfinished(path, number)
        try:
            return _open(unfinished), unfinished
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _open(unfinished), unfinished
        except FileExistsError:
            continue
    raise AssertionError


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _unfinished(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}#{number}")

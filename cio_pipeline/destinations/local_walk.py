"""Files below a folder, by the operating system's own names."""

import os
from collections.abc import Iterator
from pathlib import Path

from cio_pipeline.destinations.local_create import UNFINISHED


def files_below(root: Path, prefix: str) -> Iterator[tuple[str, int]]:
    """Key and size of each whole file; links are followed, but not around in a circle.

    What of a name is no UTF-8 is escaped with a backslash. Raises OSError.
    """
    entered: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root / prefix, onerror=_raise, followlinks=True):
        there = Path(folder).stat()
        if (there.st_dev, there.st_ino) in entered:
            folders.clear()
            continue
        entered.add((there.st_dev, there.st_ino))
        for path in (Path(folder) / name for name in names if not UNFINISHED.search(name)):
            if path.is_file():
                yield _key(path.relative_to(root)), path.stat().st_size


def _key(path: Path) -> str:
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise error

"""Names that stay: what is new in a folder is durable once the folder was synced (D6)."""

import errno
import os
import threading
from pathlib import Path


class FolderSyncs:
    """Syncs of folders that threads share: who comes while one is under way waits for the next.

    A sync covers all names that were made before it began, so that many small objects cost a few.
    One that fails counts for nobody.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[Path] = set()
        self._begun: dict[Path, int] = {}
        self._done: dict[Path, int] = {}

    def sync(self, folder: Path) -> None:
        """Make the names in a folder durable; raises OSError."""
        with self._changed:
            needed = self._begun.get(folder, 0) + 1
            self._changed.wait_for(
                lambda: self._done.get(folder, 0) >= needed or folder not in self._under_way
            )
            if self._done.get(folder, 0) >= needed:
                return
            number = self._begun.get(folder, 0) + 1
            self._begun[folder] = number
            self._under_way.add(folder)
        try:
            sync(folder)
            self._done[folder] = number
        finally:
            with self._changed:
                self._under_way.discard(folder)
                self._changed.notify_all()


def sync(path: Path) -> None:
    """Make a file's bytes or a folder's names durable; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some shares cannot sync a folder; they order such changes themselves.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP} or path.is_file():
            raise
    finally:
        os.close(descriptor)

"""The spool: a folder of this machine where files lie from encoding until they are delivered."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

from cio_pipeline.files.system_errors import reason, spool_error
from cio_pipeline.files.whole_disk import Disk, can_sync_whole
from cio_pipeline.model.errors import InvalidConfig, InvalidKey

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,127}")

_PATIENCE = 1.0
"""Seconds for which files may come to a folder that is to go."""

_LOOKS, _APART = 10, 0.005
"""So many looks, so many seconds apart, find nothing: no more comes. Polars' threads were seen
opening a file 12 ms after its error was told; on a busy machine looks are late, as threads are."""

RESTORE = "restore-"
"""How the names of folders begin in which a restore encodes: no plan tells whether it goes on."""


class Spool:
    """Folders below `root`, named by their users; paths are relative to it, with `/`.

    Its files need no sync as such: those that a power failure takes are encoded again and must give
    the sealed digests. A file is written once, in a folder of its run's own, and never altered:
    what was delivered to a folder on the same disk is another name for it.

    All runs of a machine together take at most `limit` bytes (None: what the disk has), if they ask
    for room before they write.
    """

    def __init__(self, root: Path, limit: int | None = None) -> None:
        self.root, self.limit = root, limit
        self._disk: Disk | None = None
        self._whole = False

    def roomy(self, share: float) -> bool:
        """Whether less than a share of the limit is taken."""
        return self.limit is None or self.taken() < share * self.limit

    def taken(self) -> int:
        """The bytes of all files, those of other runs too."""
        sizes = (
            _size(f"{place}/{name}") for place, _, names in os.walk(self.root) for name in names
        )
        return sum(sizes)

    @contextmanager
    def one_writer(self, *, wait: bool = True) -> Generator[bool]:
        """Where there is a limit, one run of the machine at a time: what it takes is known then.

        Whether this one may write; True if it may `wait` for the others. Raises DiskFull,
        InvalidConfig if nothing can be locked there.
        """
        if self.limit is None:
            yield True
            return
        with _opened(self.root / ".writer") as lock:
            yield _locked(lock, wait=wait)

    def folder(self, name: str) -> Path:
        """A folder below the root, made if it is not there.

        Raises InvalidKey for an unsafe name, DiskFull, InvalidConfig if it cannot be made.
        """
        path = self.path(name)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if self._disk is None:
                # Before the first file: it tells of errors since it was opened, and only of those.
                self._disk = Disk(os.open(self.root, os.O_RDONLY))
                # Asked once: who begins with whole syncs counts on them to the end.
                self._whole = can_sync_whole(self._disk.device)
        except OSError as error:
            raise spool_error(error) or _unusable(error) from error
        return path

    def sync(self) -> bool:
        """Make durable all files, and their other names on this disk, in one call.

        False, and nothing is done, where each is to be synced for itself. Raises DiskFull,
        InvalidConfig.
        """
        if self._disk is None or not self._whole:
            return False
        try:
            self._disk.sync()
        except OSError as error:
            raise spool_error(error) or _unusable(error) from error
        return True

    def path(self, relative: str) -> Path:
        """The path of a file or folder; raises InvalidKey if it could lie outside the root."""
        if not all(_SAFE.fullmatch(part) for part in relative.split("/")):
            raise InvalidKey(
                f"'{relative}' is no path of the spool.",
                "Use letters, digits, '_', '-', '=' and '.', and no '..'.",
            )
        return self.root / relative

    def folders(self) -> tuple[str, ...]:
        """The names of the folders that there are, sorted; none if the root is not there.

        Raises InvalidConfig if the root cannot be read.
        """
        try:
            return tuple(sorted(path.name for path in self.root.iterdir() if path.is_dir()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise spool_error(error) or _unusable(error) from error

    def idle(self, name: str) -> timedelta:
        """For how long nothing was added to a folder, or taken from it; zero if it is gone."""
        try:
            return timedelta(seconds=max(0.0, time.time() - self.path(name).stat().st_mtime))
        except FileNotFoundError:
            return timedelta(0)
        except OSError as error:
            raise spool_error(error) or _unusable(error) from error

    def discard(self, name: str) -> None:
        """Remove a folder with all it holds; one that is not there counts as success.

        Raises InvalidKey, InvalidConfig, DiskFull.
        """
        last = time.monotonic() + _PATIENCE
        while True:
            try:
                shutil.rmtree(self.path(name))
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno == errno.ENOTEMPTY and time.monotonic() < last:
                    continue  # A file came while it was removed.
                raise spool_error(error) or _unusable(error) from error
            else:
                return

    def abandon(self, name: str) -> None:
        """Discard a folder whose writer failed: its threads may make files for some ms more.

        Returns when it stayed away for a moment, or at last after a second.
        """
        last = time.monotonic() + _PATIENCE
        self.discard(name)
        quiet = 0
        while quiet < _LOOKS and time.monotonic() < last:
            time.sleep(_APART)
            quiet += 1
            if self.path(name).exists():
                self.discard(name)
                quiet = 0


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise spool_error(error) or _unusable(error) from error


def _locked(lock: IO[str], *, wait: bool) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise spool_error(error) or _unusable(error) from error
    return True


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - of thousands, in no time
    except FileNotFoundError:
        return 0  # Removed since it was listed.


def sha256_of(path: Path) -> str:
    """The sha256 of a file as hex, streamed; OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unusable(error: OSError) -> InvalidConfig:
    return InvalidConfig(
        f"The spool folder cannot be used ({reason(error)}).", "Point CIO_HOME to a plain folder."
    )

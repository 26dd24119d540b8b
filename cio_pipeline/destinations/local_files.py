"""Files of a local folder: created in one step and never over another, durable, and listed.

A spooled file on the same disk gets a second name: a copy costs as much as the encoding of small
files, and on some file systems a new file becomes dearer the more were removed shortly before.
Other bytes go to `<name>#<n>` beside the name, which is synced and then linked to it: a reader sees
the whole file or none. obstore's own create-only put would hold the whole body in memory, and does
not sync.
"""

import errno
import hashlib
import itertools
import os
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from cio_pipeline.destinations.spooled import not_sealed, spooled, unspooled
from cio_pipeline.files.system_errors import reason

UNFINISHED = re.compile(r"#[0-9]+$")
"""The end of the names of unfinished files; obstore lists none of them."""

_AT_ONCE = 128 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def create(path: str, chunks: Iterable[bytes]) -> bool:
    """Create a file, durably; False if its name is taken.

    Raises OSError, and whatever `chunks` raises; then nothing is left.
    """
    if os.path.lexists(path):
        return False
    descriptor, unfinished, _ = open_unfinished(path)
    try:
        _write(descriptor, chunks)
        # FileNotFoundError: another writer of this name was first, and cleared up after itself.
        os.link(unfinished, path)
    except (FileExistsError, FileNotFoundError):
        return False
    finally:
        remove(unfinished)
    return True


def replace(path: str, chunks: Iterable[bytes]) -> None:
    """Write a file in place of what lies there, durably and in one step; raises OSError.

    What lay there may have other names, in the spool or another bucket: these keep its bytes.
    """
    descriptor, unfinished, left = open_unfinished(path)
    try:
        _write(descriptor, chunks)
        os.replace(unfinished, path)  # noqa: PTH105 - a Path takes longer than the call
    except FileNotFoundError:
        # Another writer of this name, one that lost its lease, took it for a leftover.
        replace(path, chunks)
    except BaseException:
        remove(unfinished)
        raise
    if left:
        clear_leftovers(path)


def clear_leftovers(path: str) -> None:
    """Remove what killed writers of a file that is there have left.

    Safe even if another writer is at it: the name is taken, so its link could only fail, and one
    that replaces writes again.
    """
    for number in itertools.count(1):
        if not remove(f"{path}#{number}"):
            return


def open_unfinished(path: str) -> tuple[int, str, bool]:
    """An unfinished file, its name, and whether there are others that somebody has left."""
    for number in itertools.count(1):
        unfinished = f"{path}#{number}"
        try:
            return os.open(unfinished, _NEW, 0o666), unfinished, number > 1
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            return os.open(unfinished, _NEW, 0o666), unfinished, False
        except FileExistsError:
            continue
    raise AssertionError


def write_all(descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write all of it; raises OSError."""
    for chunk in chunks:
        left = memoryview(chunk)
        while left:
            left = left[os.write(descriptor, left) :]


def _write(descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write all, durably, and close the file in any case."""
    try:
        write_all(descriptor, chunks)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Whether there was such a file, which is gone now."""
    try:
        os.unlink(path)  # noqa: PTH108 - a Path takes longer than the call
    except FileNotFoundError:
        return False
    return True


_NOT_LINKED = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.ENOENT}
)
"""What systems answer that have no links, none between two mounts, or too many already.

ENOENT: the spooled file was swept just now, which the copy says in other words.
"""


def create_from_spool(path: str, key: str, file: Path, sha256: str, *, synced: bool) -> bool:
    """Create `path` on the spool's disk, as a durable file's other name and never over another.

    `synced` says that the file is durable. False if the name is taken. Raises OSError, and
    DestinationUnavailable unless the spooled file is what was sealed; then nothing is left.
    """
    if os.path.lexists(path):
        return False
    _require_sealed(key, file, sha256, synced=synced)
    try:
        os.link(file, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NOT_LINKED:
            return create(path, spooled(key, file, sha256))
        raise
    return True


def on_one_disk(path: str, file: Path) -> bool:
    """Whether a file lies where `path` is to lie, whose folder is made. Raises OSError."""
    folder = path.rpartition("/")[0]
    try:
        there = os.stat(folder)  # noqa: PTH116 - a Path takes longer than the call
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - the same
        there = os.stat(folder)  # noqa: PTH116 - the same
    try:
        return os.stat(file).st_dev == there.st_dev  # noqa: PTH116 - the same
    except FileNotFoundError:
        return False


def _require_sealed(key: str, file: Path, sha256: str, *, synced: bool) -> None:
    """Make a spooled file durable, unless it is; DestinationUnavailable if it is another one."""
    digest = hashlib.sha256()
    try:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            while chunk := os.read(descriptor, _AT_ONCE):
                digest.update(chunk)
            if not synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unspooled(key, f"cannot be read ({reason(error)})") from error
    if digest.hexdigest() != sha256:
        raise not_sealed(key)


class FolderSyncs:
    """Syncs of folders that threads share: who comes while one is under way waits for the next.

    A sync covers all names that were made before it began, so that many small objects cost a few.
    One that fails counts for nobody.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[str] = set()
        self._begun: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def sync(self, folder: str) -> None:
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


def sync(path: str | Path) -> None:
    """Make a file's bytes or a folder's names durable; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some shares cannot sync a folder; they order such changes themselves.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP} or os.path.isfile(path):  # noqa: PTH113 - a text
            raise
    finally:
        os.close(descriptor)


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
                yield _key_of(path.relative_to(root)), path.stat().st_size


def _key_of(path: Path) -> str:
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise error

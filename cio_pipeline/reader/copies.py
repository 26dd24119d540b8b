"""Files of a feed as files of this machine, each held against what its manifest says.

A folder's are read where they lie. Those of a store are copied, some ahead of the reader, and the
oldest copies go when they take more than `ROOM`.
"""

import tempfile
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.files.names import check_key
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import ObjectMissing
from cio_pipeline.ports import Destination
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.unreadable import altered, missing, unread

ROOM = 2 * 1024**3
"""Bytes of copies that are kept."""

AHEAD = 8
"""Files that are copied while others are read."""


class Copies:
    """See the module; use `copies_of`. Several threads may ask."""

    def __init__(self, destination: Destination, folder: Path, room: int = ROOM) -> None:
        self._destination = destination
        self._folder = folder
        self._room = room
        self._kept: dict[FeedFile, Path] = {}
        self._seen: dict[FeedFile, tuple[int, int, int]] = {}
        self._made = 0

    def all_of(self, files: Iterable[FeedFile]) -> Iterator[tuple[FeedFile, Path]]:
        """Each file with the path that it can be read at until the next is asked for.

        Raises FileAltered, InvalidKey, ObjectMissing, ObjectArchived and the store's other errors.
        """
        waiting = iter(files)
        with ThreadPoolExecutor(AHEAD, thread_name_prefix="copies") as pool:
            ahead = [(one, pool.submit(self._path, one)) for one in islice(waiting, AHEAD)]
            try:
                while ahead:
                    file, coming = ahead.pop(0)
                    yield file, coming.result()
                    ahead += [(one, pool.submit(self._path, one)) for one in islice(waiting, 1)]
                    if ahead:
                        # The last stay: who asks for some files at once wants all of their paths.
                        self._make_room({one for one, _ in ahead})
            finally:
                _drop(coming for _, coming in ahead)

    def unchanged(self, file: FeedFile, path: Path) -> None:
        """Raise FileAltered if a file is another one than when it was held against its manifest.

        Raises ObjectMissing if it went since.
        """
        try:
            now = _stamp(path)
        except OSError as error:
            raise unread(file, error) from None
        if self._seen.get(file) != now:
            raise altered(file)

    def _path(self, file: FeedFile) -> Path:
        if file in self._kept and self._kept[file].exists():
            return self._kept[file]
        if isinstance(self._destination, LocalFolder):
            # Whoever wrote the manifest may have meant another folder's file.
            path = self._destination.root / check_key(file.key)
        else:
            path = self._copy(file)
        self._check(file, path)
        return path

    def _copy(self, file: FeedFile) -> Path:
        self._made += 1
        path = self._folder / f"{self._made}-{abs(hash(file.key))}"
        try:
            self._destination.download(file.key, path)
        except ObjectMissing:
            raise missing(file) from None
        self._kept[file] = path
        return path

    def _check(self, file: FeedFile, path: Path) -> None:
        try:
            stamp = _stamp(path)
            if self._seen.get(file) == stamp:
                return
            whole = stamp[0] == file.bytes and file.sha256 in (None, sha256_of(path))
        except OSError as error:
            raise unread(file, error) from None
        if not whole:
            raise altered(file)
        self._seen[file] = stamp

    def _make_room(self, wanted: set[FeedFile]) -> None:
        taken = sum(file.bytes for file in self._kept)
        for file in [one for one in self._kept if one not in wanted]:
            if taken <= self._room:
                return
            self._kept.pop(file).unlink(missing_ok=True)
            taken -= file.bytes


@contextmanager
def copies_of(destination: Destination) -> Generator[Copies]:
    """Copies in a temporary folder of their own, which goes with them."""
    with tempfile.TemporaryDirectory(prefix="cio-reader-") as folder:
        yield Copies(destination, Path(folder))


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _drop(coming: Iterable[Future[Path]]) -> None:
    for one in coming:
        one.cancel()

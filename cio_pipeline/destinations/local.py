"""The local folder: the embedded default destination, also for mounted shares.

A put links the spooled file to the key, or, from another disk, writes `<key>#<n>` and links that:
no reader sees half an object. A killed process may leave the latter; it is never listed, and the
next put of the key removes it.
"""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import LocalStore

from cio_pipeline.destinations.answers import conflict, missing
from cio_pipeline.destinations.listing import listed
from cio_pipeline.destinations.local_files import (
    UNFINISHED,
    FolderSyncs,
    clear_leftovers,
    create,
    create_from_spool,
    files_below,
    on_one_disk,
    replace,
    sync,
)
from cio_pipeline.destinations.probe import tried
from cio_pipeline.destinations.spooled import spooled
from cio_pipeline.destinations.unfinished import Unfinished
from cio_pipeline.files.names import check_key
from cio_pipeline.files.system_errors import NO_PERMISSION, NO_SPACE, error_number, reason
from cio_pipeline.model.errors import (
    CioError,
    DestinationError,
    DestinationUnavailable,
    DiskFull,
    InvalidKey,
    ObjectMissing,
)
from cio_pipeline.model.objects import ObjectInfo, Permission

SMALL = 64 * 1024
"""Bytes up to which objects that are overwritten wait for one another's sync."""


class LocalFolder:
    """A `Destination` in a folder, which the first put makes. Without it, nothing is there.

    One that has `begun` is never made again, nor taken for empty: it is on a disk that is not
    mounted, or was moved, and what is put or forgotten meanwhile would be wrong once it is back.
    """

    def __init__(self, root: Path, begun: Callable[[], bool] = lambda: False) -> None:
        self.root = root
        self._begun = begun
        self._base = os.path.join(root, "")  # noqa: PTH118 - a text, which ends in a slash
        self._syncs = FolderSyncs()
        self._unfinished = Unfinished()

    def await_turn(self) -> None:
        """Objects may be put at any time."""

    def put(self, key: str, file: Path, sha256: str, *, synced: bool = False) -> None:
        """Create an object from a file; the same bytes count as success, others as conflict.

        On one disk the object *is* the spooled file, by another name (`Spool`).
        """
        path = self._path_to_write(check_key(key))
        with named_errors("write", key):
            if on_one_disk(path, file):
                made = create_from_spool(path, key, file, sha256, synced=synced)
            else:
                made, synced = create(path, spooled(key, file, sha256)), False
            self._finish(key, path, sha256, made=made, synced=synced)

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        path = self._path_to_write(check_key(key))
        with named_errors("write", key):
            made = create(path, [body])
            self._finish(key, path, hashlib.sha256(body).hexdigest(), made=made)

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        return b"".join(self._chunks(key))

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""
        chunks = self._chunks(key)
        with named_errors("read", key), to.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""
        digest = hashlib.sha256()
        for chunk in self._chunks(key):
            digest.update(chunk)
        return digest.hexdigest()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        if prefix:
            check_key(prefix)
        if not self._exists():
            return iter(())
        with named_errors("list", prefix or "."):
            return listed(LocalStore(self.root), prefix, lambda: files_below(self.root, prefix))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""
        check_key(key)
        if not self._exists():
            return
        try:
            with named_errors("delete", key):
                obstore.delete(LocalStore(self.root), key)
        except ObjectMissing:
            return

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small file, in place of what lies there; a folder holds no metadata (M1, M4)."""
        del metadata
        path = self._path_to_write(check_key(key))
        with named_errors("write", key):
            if len(body) <= SMALL:
                self._unfinished.write(path, body)
            else:
                self._unfinished.finish([path])
                replace(path, [body])

    def make_durable(self, keys: Iterable[str]) -> None:
        """Name what was overwritten: disk and folders are synced once for all of it.

        Raises ObjectMissing if another writer was at one of the keys: it is to be put again.
        """
        names = list(dict.fromkeys(keys))
        with named_errors("write", names[0] if len(names) == 1 else "."):
            try:
                self._unfinished.finish(f"{self._base}{key}" for key in names)
            except FileNotFoundError:
                raise missing(names[0]) from None
            self._sync_folders(names)

    def replace(self, key: str, file: Path, sha256: str) -> None:
        """Write a file in place of the one that lies there, which keeps its other names."""
        path = self._path_to_write(check_key(key))
        if not os.path.lexists(path):
            raise missing(key)
        with named_errors("write", key):
            replace(path, _Again(key, file, sha256))
            self._sync_folders([key])

    def announce(self) -> None:
        """Nothing: only a bucket is told of a run (D8)."""

    def permissions(self) -> Sequence[Permission]:
        """Whether files can be made below the folder, and then read and removed again."""
        key = f"cio-validate-{uuid.uuid4().hex}"
        made = tried("create files", "every run", lambda: self.put_bytes(key, b""), "all")
        if not made.granted:
            return (made,)
        return (
            made,
            tried("read files", "verify, restore", lambda: self.get(key)),
            tried("remove files", "purge", lambda: self.delete(key), "none"),
        )

    def describe(self) -> str:
        """Where this is, for people."""
        return f"local folder {self.root}"

    def _path_to_write(self, key: str) -> str:
        if UNFINISHED.search(key):
            raise InvalidKey(
                f"'{key}' is no valid key: unfinished files have such names.",
                "Give it a name that does not end in '#' and a number.",
            )
        # One call for nearly all objects.
        if not os.path.isdir(self._base) and not self._exists():  # noqa: PTH112
            with named_errors("make", "."):
                self.root.mkdir(parents=True, exist_ok=True)
                sync(self.root.parent)
        return f"{self._base}{key}"

    def _finish(
        self, key: str, path: str, sha256: str, *, made: bool, synced: bool = False
    ) -> None:
        if not made:
            self._compare(key, sha256)
            # It may be that of a run that was killed before it had synced it.
            sync(path)
        if not synced:
            self._sync_folders([key])
        clear_leftovers(path)

    def _compare(self, key: str, sha256: str) -> None:
        try:
            same = self.sha256(key) == sha256
        except ObjectMissing:
            same = False
        if not same:
            raise conflict(key)

    def _sync_folders(self, keys: Iterable[str]) -> None:
        # Positions move only when files are durable (D6), their names included.
        folders: set[str] = set()
        for key in keys:
            folder = key
            while folder and (folder := folder.rpartition("/")[0]) not in folders:
                folders.add(folder)
        for folder in sorted(folders, reverse=True):
            self._syncs.sync(f"{self._base}{folder}")

    def _chunks(self, key: str) -> Iterator[bytes]:
        check_key(key)
        if not self._exists():
            raise missing(key)
        with named_errors("read", key):
            yield from obstore.get(LocalStore(self.root), key).stream()

    def _exists(self) -> bool:
        with named_errors("read", "."):
            if self.root.exists() and not self.root.is_dir():
                raise _no_folder(self.root)
            there = self.root.exists()
        if not there and self._begun():
            raise _gone()
        return there


class _Again:
    """The bytes of a spooled file, as often as they are asked for."""

    def __init__(self, key: str, file: Path, sha256: str) -> None:
        self._of = key, file, sha256

    def __iter__(self) -> Iterator[bytes]:
        return spooled(*self._of)


def _gone() -> DestinationUnavailable:
    return DestinationUnavailable(
        "The destination's folder is not there, and files were put into it before.",
        "Mount its disk, or put the folder back: it is tried again. If it is gone for good, make "
        "an empty one in its place.",
    )


def _no_folder(root: Path) -> DestinationError:
    return DestinationError(
        f"'{root.name}' is a file, not a folder.", "Point the sync's destination to a folder."
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

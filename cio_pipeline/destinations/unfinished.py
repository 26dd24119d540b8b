"""Small files of a local folder that get their names together, once the bytes of all are synced."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cio_pipeline.destinations.local_files import (
    clear_leftovers,
    open_unfinished,
    remove,
    sync,
    write_all,
)
from cio_pipeline.files.whole_disk import Disk, can_sync_whole


@dataclass(frozen=True)
class _File:
    name: str
    left: bool
    """Whether killed writers have left others of that name."""
    synced: bool


class Unfinished:
    """Files of one folder; threads write them, each of which finishes its own.

    What nobody finishes is removed together with this.
    """

    def __init__(self) -> None:
        self._files: dict[str, list[_File]] = {}
        self._opening = threading.Lock()
        self._disks: dict[int, Disk | None] = {}
        """By device; None where each file is synced for itself."""
        weakref.finalize(self, _remove_all, self._files)

    def write(self, path: str, body: bytes) -> None:
        """Write a file beside its name, which `finish` gives it; raises OSError."""
        descriptor, name, left = open_unfinished(path)
        try:
            try:
                write_all(descriptor, [body])
                synced = self._disk_of(descriptor) is None
                if synced:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            remove(name)
            raise
        self._files.setdefault(path, []).append(_File(name, left, synced))

    def finish(self, paths: Iterable[str]) -> None:
        """Make files durable and give them their names, in place of what lies there.

        Their folders are left to the caller. Raises OSError: FileNotFoundError if another writer
        of a name, one that lost its lease, took a file for a leftover. Then none is left.
        """
        files = deque((path, one) for path in paths for one in self._files.pop(path, ()))
        try:
            self._sync([one for _, one in files if not one.synced])
            while files:
                path, one = files[0]
                os.replace(one.name, path)  # noqa: PTH105 - a Path takes longer than the call
                files.popleft()
                if one.left:
                    clear_leftovers(path)
        finally:
            for _, one in files:
                remove(one.name)

    def _sync(self, files: list[_File]) -> None:
        if len(files) == 1:
            sync(files[0].name)
        elif files:
            for disk in filter(None, list(self._disks.values())):
                disk.sync()

    def _disk_of(self, descriptor: int) -> Disk | None:
        device = os.fstat(descriptor).st_dev
        with self._opening:
            if device not in self._disks:
                whole = can_sync_whole(device)
                self._disks[device] = Disk(os.dup(descriptor)) if whole else None
            return self._disks[device]


def _remove_all(files: Mapping[str, list[_File]]) -> None:
    for one in [one for its in files.values() for one in its]:
        remove(one.name)

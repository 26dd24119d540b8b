"""Small files of a local folder that get their names together, once the bytes of all are synced.

To sync each file for itself costs more than to write it. On disks that are known to keep what
`syncfs` returns from, one call stands for many files; on shares and all others each is synced,
since there only a file's own sync reaches the other side.
"""

import ctypes
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cio_pipeline.destinations.local_files import (
    clear_leftovers,
    open_unfinished,
    remove,
    replace,
    write_all,
)

SMALL = 16 * 1024
"""Bytes up to which a body is kept in memory until its file has its name."""

_SYNCED_AS_A_WHOLE = frozenset({"ext3", "ext4", "xfs", "tmpfs"})
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class _File:
    name: str
    body: bytes
    left: bool
    """Whether killed writers have left others of that name."""


class Unfinished:
    """Files of one folder; threads write them, each of which finishes its own."""

    def __init__(self) -> None:
        self._files: dict[str, list[_File]] = {}
        self._opening = threading.Lock()
        self._disk: tuple[int, int] | None = None

    def write(self, path: str, body: bytes) -> None:
        """Write a file beside its name, which `finish` gives it; raises OSError."""
        descriptor, name, left = open_unfinished(path)
        try:
            try:
                write_all(descriptor, [body])
                if not self._is_synced_later(descriptor):
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            remove(name)
            raise
        self._files.setdefault(path, []).append(_File(name, body, left))

    def finish(self, paths: Iterable[str]) -> None:
        """Make files durable and give them their names, in place of what lies there.

        Their folders are left to the caller. Raises OSError; then nothing unfinished is left.
        """
        files = deque((path, one) for path in paths for one in self._files.pop(path, ()))
        try:
            if files and self._disk is not None:
                sync_whole(self._disk[0])
            while files:
                _named(*files[0])
                files.popleft()
        finally:
            for _, one in files:
                remove(one.name)

    def _is_synced_later(self, descriptor: int) -> bool:
        device = os.fstat(descriptor).st_dev
        with self._opening:
            if self._disk is None and can_sync_whole(device):
                # Kept open: it tells of errors since it was opened, also of those that another
                # program has heard of.
                kept = os.dup(descriptor)
                weakref.finalize(self, os.close, kept)
                self._disk = kept, device
        return self._disk is not None and self._disk[1] == device


def _named(path: str, one: _File) -> None:
    try:
        os.replace(one.name, path)  # noqa: PTH105 - a Path takes longer than the call
    except FileNotFoundError:
        # Another writer of this name, one that lost its lease, took it for a leftover.
        replace(path, [one.body])
    if one.left:
        clear_leftovers(path)


def sync_whole(descriptor: int) -> None:
    """Make durable all that was written to the disk of an open file; raises OSError."""
    if _libc().syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def can_sync_whole(device: int) -> bool:
    """Whether `sync_whole` keeps on this device what syncs of single files would."""
    return hasattr(_libc(), "syncfs") and _kinds().get(device) in _SYNCED_AS_A_WHOLE


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _kinds() -> Mapping[int, str]:
    """The kind of file system of each mounted device."""
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    found: dict[int, str] = {}
    for line in lines:
        about, _, mounted = line.partition(" - ")
        major, _, minor = about.split()[2].partition(":")
        found[os.makedev(int(major), int(minor))] = mounted.split()[0]
    return found

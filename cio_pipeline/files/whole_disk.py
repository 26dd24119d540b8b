"""One sync for all that was written to a disk, where that keeps what syncs of single files would.

To sync each small file for itself costs more than to write it. On disks that are known to keep what
`syncfs` returns from, one call stands for many files and names; on shares and all others each is
synced, since there only a file's own sync reaches the other side.
"""

import ctypes
import os
import re
import weakref
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock

_SYNCED_AS_A_WHOLE = frozenset({"ext3", "ext4", "xfs", "tmpfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_TELLS_OF_ERRORS = (5, 8)
"""The release of Linux since which `syncfs` tells what could not be written."""


class Disk:
    """The disk of an open file, which this keeps; threads may share it.

    The kernel tells once of what it could not write since the file was opened: so a sync that
    failed fails for all who come later, too.
    """

    def __init__(self, descriptor: int) -> None:
        self.device = os.fstat(descriptor).st_dev
        self._descriptor = descriptor
        self._lost: OSError | None = None
        self._syncing = Lock()
        weakref.finalize(self, os.close, descriptor)

    def sync(self) -> None:
        """Make durable all that was written until now; raises OSError."""
        with self._syncing:
            if self._lost is not None:
                raise OSError(self._lost.errno, self._lost.strerror)
            try:
                sync_whole(self._descriptor)
            except OSError as error:
                self._lost = error
                raise


def sync_whole(descriptor: int) -> None:
    """Make durable all that was written to the disk of an open file; raises OSError."""
    if _libc().syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def can_sync_whole(device: int) -> bool:
    """Whether `sync_whole` keeps on this device what syncs of single files would."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or (int(release[1]), int(release[2])) < _TELLS_OF_ERRORS:
        return False
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

"""Which files below a folder are opened, by whatever library: Linux' inotify tells."""

import ctypes
import os
import struct
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_IN_OPEN = 0x20
_IN_NONBLOCK = os.O_NONBLOCK
_IN_ISDIR = 0x40000000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Opened:
    """How often each file was opened."""

    files: Counter[Path] = field(default_factory=Counter)

    def of(self, suffix: str) -> list[Path]:
        """The files with a suffix."""
        return sorted(path for path in self.files if path.suffix == suffix)

    @property
    def size(self) -> int:
        """The size of the files in bytes, each as often as it was opened."""
        return sum(path.stat().st_size * times for path, times in self.files.items())


@contextmanager
def opened_below(root: Path) -> Generator[Opened]:
    """The files below `root` that the block opens; folders made meanwhile are not watched."""
    found = Opened()
    descriptor = _libc.inotify_init1(_IN_NONBLOCK)
    try:
        folders = {
            _watch(descriptor, path): path for path in [root, *root.rglob("*")] if path.is_dir()
        }
        yield found
        for watch, name in _events(descriptor):
            found.files[folders[watch] / name] += 1
    finally:
        os.close(descriptor)


def _watch(descriptor: int, folder: Path) -> int:
    watch = _libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_OPEN)
    if watch < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
    return watch


def _events(descriptor: int) -> Generator[tuple[int, str]]:
    while True:
        try:
            data = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
            at += length
            if name and not mask & _IN_ISDIR:
                yield watch, name

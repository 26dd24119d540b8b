"""The bytes of a Parquet file's footer: reading them, and writing others in their place.

A footer's offsets point to what lies before it, so that it can grow and shrink.
"""

import os
from pathlib import Path

_TAIL = 8
"""Bytes behind a footer: its length and `PAR1`."""


def read_footer_bytes(path: Path) -> tuple[int, bytes]:
    """Where the footer of a whole file begins, and its bytes; raises OSError."""
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size - _TAIL
        size = int.from_bytes(os.pread(file.fileno(), 4, end), "little")
        return end - size, os.pread(file.fileno(), size, end - size)


def write_footer_bytes(path: Path, place: int, footer: bytes) -> None:
    """Put a footer, and what ends the file, in place of those that begin there; raises OSError."""
    rest = memoryview(ending(footer))
    with path.open("r+b", buffering=0) as file:
        while rest:
            written = os.pwrite(file.fileno(), rest, place)
            rest, place = rest[written:], place + written
        file.truncate(place)


def ending(footer: bytes) -> bytes:
    """A file's end: the footer, its length and `PAR1`."""
    return footer + len(footer).to_bytes(4, "little") + b"PAR1"

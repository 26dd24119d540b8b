"""Lines of NDJSON files, one by one, so that no bad one stops the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_LINE = 256 * 1024 * 1024
"""Bytes; longer lines are not read."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class BadLine:
    """A line that was left out; its number counts from 1, and `reason` holds nothing of it."""

    file: str
    line: int
    reason: str


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that hold something, numbered from 1, without the mark that a file may begin with.

    A line that is too long is cut off, so that it is no JSON.
    """
    number, whole = 0, True
    while line := file.readline(LONGEST_LINE):
        number += whole
        first = number == 1 and whole
        text = line.removeprefix(_BOM) if first else line
        if whole and text.strip():
            yield number, text
        whole = line.endswith(b"\n")

"""Which rows of a file a deletion vector of the log marks as deleted.

The vector is a 64-bit Roaring bitmap in its portable form, in the log itself or in a file beside
the data; Delta's protocol calls the forms `i` (inline), `u` (relative) and `p` (absolute).
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pyroaring import BitMap64

from cio_pipeline.sources.places import file_place, for_deltalake, is_elsewhere

_MAGIC = 1681511377
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_UUID = 20

Vector = Mapping[str, Any]
"""What the log says of a deletion vector."""

Read = Callable[[str, int, int], bytes]
"""Bytes of a file: its name as the log has it, where they start, and how many."""


def read_bytes(
    folder: str, storage_options: Mapping[str, str], named: str, start: int, size: int
) -> bytes:
    """What a file holds that the log of a table in a folder names; see `places.file_place`."""
    # It takes pyarrow and numpy along, which few tables need.
    from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415

    place = file_place(folder, named) if is_elsewhere(named) else f"{folder}/{named}"
    parent, _, name = place.rpartition("/")
    store: Any = DeltaStorageHandler(for_deltalake(parent), dict(storage_options))
    with store.open_input_file(name) as file:
        file.seek(start)
        return bytes(file.read(size))


def deleted_rows(vector: Vector | None, read: Read) -> BitMap64:
    """The numbers of the deleted rows; none without a vector.

    Raises ValueError if it is no deletion vector, and what `read` raises.
    """
    if vector is None:
        return BitMap64()
    size = int(vector["sizeInBytes"])
    body = _body(vector, size, read)
    if len(body) < size or struct.unpack_from("<I", body)[0] != _MAGIC:
        raise ValueError("not a deletion vector")
    return BitMap64.deserialize(body[4:])


def _body(vector: Vector, size: int, read: Read) -> bytes:
    kind, where = vector["storageType"], str(vector["pathOrInlineDv"])
    if kind == "i":
        return _decoded(where)[:size]
    if kind not in {"u", "p"}:
        raise ValueError("a deletion vector of an unknown kind")
    name = where if kind == "p" else _file_name(where)
    # Its length comes first, and a checksum last.
    found = read(name, int(vector.get("offset") or 0) + 4, size + 4)
    if struct.pack(">I", zlib.crc32(found[:size])) != found[size:]:
        raise ValueError("a damaged deletion vector")
    return found[:size]


def _file_name(where: str) -> str:
    folder, random = where[:-_UUID], where[-_UUID:]
    name = f"deletion_vector_{UUID(bytes=_decoded(random))}.bin"
    return f"{folder}/{name}" if folder else name


def _decoded(text: str) -> bytes:
    """Z85: five digits of base 85 for four bytes."""
    words: list[int] = []
    for at in range(0, len(text), 5):
        word = 0
        for digit in text[at : at + 5]:
            word = word * 85 + _VALUES[digit]
        words.append(word)
    return struct.pack(f">{len(words)}I", *words)

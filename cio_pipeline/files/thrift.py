"""As much of Thrift's compact protocol as the schema in a Parquet footer is written in."""

from dataclasses import dataclass
from typing import TypeAlias

I32, STRUCT = 5, 12
"""Types of fields, as written in their headers."""

_TRUE, _FALSE, _BYTE, _BINARY, _LIST = 1, 2, 3, 8, 9
_LONG_LIST = 15


@dataclass(frozen=True)
class Field:
    """A field of a struct: its value, where its header lies, and the id of the one before it."""

    value: "Value"
    at: int
    before: int


Struct: TypeAlias = dict[int, Field]
"""A struct's fields by their ids."""

Value: TypeAlias = int | bytes | Struct | list[Struct]


def header(field: int, before: int, kind: int) -> int:
    """The byte before a field's value; ids grow by less than 16."""
    return (field - before) << 4 | kind


def zigzag(number: int) -> int:
    """How a number of 0 to 63 is written."""
    return number << 1


def read_structs(data: bytes, wanted: int) -> tuple[list[Struct], int]:
    """A field that is a list of structs, of the struct that begins the data, and where it ends.

    What comes behind it is not read. Raises ValueError if there is no such field.
    """
    at = before = 0
    while data[at]:
        before, kind, at = _header(data, at, before)
        value, at = _value(data, at, kind)
        if before == wanted and isinstance(value, list):
            return value, at
    raise ValueError("there is no such field")


def _struct(data: bytes, at: int) -> tuple[Struct, int]:
    fields: Struct = {}
    before = 0
    while data[at]:
        start = at
        field, kind, at = _header(data, at, before)
        value, at = _value(data, at, kind)
        fields[field] = Field(value, start, before)
        before = field
    return fields, at + 1


def _header(data: bytes, at: int, before: int) -> tuple[int, int, int]:
    """A field's id and type, and where its value begins."""
    grown, kind = divmod(data[at], 16)
    if grown:
        return before + grown, kind, at + 1
    number, at = _varint(data, at + 1)
    return number >> 1, kind, at


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in {_TRUE, _FALSE}:
        return int(kind == _TRUE), at
    if kind == _BYTE:
        return data[at], at + 1
    if kind == STRUCT:
        return _struct(data, at)
    if kind == _LIST:
        return _structs(data, at)
    number, at = _varint(data, at)
    return (data[at : at + number], at + number) if kind == _BINARY else (number, at)


def _structs(data: bytes, at: int) -> tuple[list[Struct], int]:
    size, kind = divmod(data[at], 16)
    at += 1
    if kind != STRUCT:
        raise ValueError("only lists of structs are read")
    if size == _LONG_LIST:
        size, at = _varint(data, at)
    found: list[Struct] = []
    for _ in range(size):
        struct, at = _struct(data, at)
        found.append(struct)
    return found, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:  # noqa: PLR2004 - the last byte has no continuation bit
            return number, at

"""Where a Parquet file's footer tells its rows: Thrift's compact protocol, as far as that.

pyarrow takes three times as long for the footer of a small file as all else that is asked of it.
"""

_FIXED = {1: 0, 2: 0, 3: 1, 7: 8}
"""Bytes of a value by its type: true, false (told by the type), a byte, a double."""

_NUMBERS = frozenset({4, 5, 6})
_BINARY, _LIST, _STRUCT = 8, 9, 12

_LONG = 15
"""Stands for a list's size that takes a number of its own."""

_VERSION, _SCHEMA, _ROWS = 0x15, 0x19, 0x16
"""How the first three fields of a footer begin: each number one higher than the last, and types."""


def behind_schema(footer: bytes) -> int:
    """Where the number of rows stands, for `number_at`; ValueError if that is no footer."""
    try:
        place = 0
        for begins in (_VERSION, _SCHEMA):
            _require(footer[place] == begins)
            place = _end(footer, place + 1, begins & 0x0F)
        _require(footer[place] == _ROWS)
    except IndexError:
        raise _no_footer() from None
    return place + 1


def number_at(data: bytes, place: int) -> int:
    """The whole number that begins at a place."""
    number, _ = _unsigned(data, place)
    return (number >> 1) ^ -(number & 1)


def _unsigned(data: bytes, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and where it ends."""
    number = shift = 0
    while (byte := data[place]) & 0x80:
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return number | byte << shift, place + 1


def _end(data: bytes, place: int, kind: int) -> int:
    """Where a value ends that begins at a place."""
    if kind in _FIXED:
        return place + _FIXED[kind]
    number, behind = (0, place) if kind == _STRUCT else _unsigned(data, place)
    if kind in _NUMBERS:
        return behind
    if kind == _BINARY:
        return behind + number
    if kind == _LIST:
        return _end_of_list(data, place)
    _require(kind == _STRUCT)
    return _end_of_struct(data, place)


def _end_of_list(data: bytes, place: int) -> int:
    """A list of structs: the schema's elements."""
    size, kind = divmod(data[place], 16)
    _require(kind == _STRUCT)
    place += 1
    if size == _LONG:
        size, place = _unsigned(data, place)
    for _ in range(size):
        place = _end_of_struct(data, place)
    return place


def _end_of_struct(data: bytes, place: int) -> int:
    while header := data[place]:
        place += 1
        if not header >> 4:
            # The field's number is not told by the one before: it stands here.
            _, place = _unsigned(data, place)
        place = _end(data, place, header & 0x0F)
    return place + 1


def _require(holds: bool) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise _no_footer()


def _no_footer() -> ValueError:
    return ValueError("not the footer of a Parquet file")

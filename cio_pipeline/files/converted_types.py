"""The old ConvertedType of times, put into Parquet footers that name the logical type alone (D2).

Polars writes none for times, and readers that know nothing else see bare integers.
"""

from pathlib import Path

from cio_pipeline.files.footer_bytes import read_footer_bytes, write_footer_bytes
from cio_pipeline.files.thrift import I32, STRUCT, Field, Struct, header, read_structs, zigzag

_SCHEMA = 2
"""Field of a footer."""

_CONVERTED_TYPE, _LOGICAL_TYPE = 6, 10
"""Fields of an element of the schema."""

_NUMBERS = {1: 9, 2: 10}
"""Field of a TimeUnit (MILLIS, MICROS) → TIMESTAMP_MILLIS, TIMESTAMP_MICROS."""


class ConvertedTypes:
    """Mends files that are whole; a schema that comes again is not walked through again."""

    def __init__(self) -> None:
        self._schemas: tuple[bytes, bytes] | None = None

    def add(self, path: Path) -> None:
        """Give the times of a Parquet file their ConvertedType, in place; raises OSError.

        A file that has them, or has no times, stays as it is.
        """
        place, footer = read_footer_bytes(path)
        mended = self._mended(footer)
        if mended != footer:
            write_footer_bytes(path, place, mended)

    def _mended(self, footer: bytes) -> bytes:
        if self._schemas is None or not footer.startswith(self._schemas[0]):
            self._schemas = _schemas(footer)
        before, after = self._schemas
        return after + footer[len(before) :]


def without_converted_types(footer: bytes) -> bytes:
    """A footer as it was before its times got their ConvertedType."""
    schema, _ = read_structs(footer, _SCHEMA)
    earlier, at = b"", 0
    for element in schema:
        if _CONVERTED_TYPE in element and _of_time(element) is not None:
            converted, logical = element[_CONVERTED_TYPE], element[_LOGICAL_TYPE]
            earlier += footer[at : converted.at]
            earlier += bytes((header(_LOGICAL_TYPE, converted.before, STRUCT),))
            at = logical.at + 1
    return earlier + footer[at:]


def _schemas(footer: bytes) -> tuple[bytes, bytes]:
    """The footer up to the end of its schema, as it is and as it should be."""
    schema, end = read_structs(footer, _SCHEMA)
    mended, at = b"", 0
    for element in schema:
        number = _missing(element)
        if number is not None:
            logical = element[_LOGICAL_TYPE]
            mended += footer[at : logical.at]
            mended += bytes((header(_CONVERTED_TYPE, logical.before, I32), zigzag(number)))
            mended += bytes((header(_LOGICAL_TYPE, _CONVERTED_TYPE, STRUCT),))
            at = logical.at + 1
    return footer[:end], mended + footer[at:end]


def _missing(element: Struct) -> int | None:
    """The ConvertedType that an element of the schema should have and has not."""
    return None if _CONVERTED_TYPE in element else _of_time(element)


def _of_time(element: Struct) -> int | None:
    """The ConvertedType of an element that is a time in UTC; None for any other."""
    match element.get(_LOGICAL_TYPE):
        case Field(value={8: Field(value={1: Field(value=1), 2: Field(value=dict(unit))})}):
            return _NUMBERS.get(next(iter(unit)))
        case _:
            return None

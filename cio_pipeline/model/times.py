"""Times in text, and which times there are."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""The current time, aware UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
"""The first and the last time that ISO 8601 can write and every reader of files can hold: the years
1 to 9999 in UTC (D26)."""

OUT_OF_RANGE = "lies outside of the years 1 to 9999"
"""How times before the one and after the other are told."""


def micros(at: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(number: int) -> datetime:
    """The inverse of micros."""
    return EPOCH + timedelta(microseconds=number)


@lru_cache(maxsize=256)
def utc(at: datetime) -> str:
    """A time as sentences tell it, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


HOUR = "(?:[01][0-9]|2[0-3])"
MINUTE = "[0-5][0-9]"
"""Hours and minutes that an offset may have, as patterns (RFC 3339, D24)."""

_ISO = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt ][0-9:.,]+ ?(?:[Zz]|[+-]{HOUR}(?::?{MINUTE})?)?)?"
)


def iso_time(text: str) -> datetime:
    """The time (UTC) in an ISO 8601 text, without an offset taken as UTC.

    Digits beyond the microsecond are cut. Raises ValueError if there is no such time, or none
    from EARLIEST to LATEST (D24).
    """
    if _ISO.fullmatch(text) is None:
        raise ValueError("is no ISO 8601 time")
    found = datetime.fromisoformat(text.upper())
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(OUT_OF_RANGE) from error

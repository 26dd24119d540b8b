"""Times of calls: from the text that an SDK sent, and into the text of a CSV file."""

import re
from datetime import UTC, datetime
from typing import Any

from cio_pipeline.model.times import iso_time

_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", flags=re.ASCII)
_MILLISECOND = 1000


def time_of(value: Any) -> datetime | None:
    """The time (UTC) in an ISO 8601 text, without an offset taken as UTC; None if there is none.

    Digits beyond the microsecond are cut.
    """
    if not isinstance(value, str):
        return None
    try:
        return iso_time(value)
    except ValueError:
        return None


def is_exact(text: str) -> bool:
    """Whether a text can stand for its time: it is in UTC, with at most six digits."""
    return _EXACT.fullmatch(text) is not None


def is_written(text: str, time: datetime, unit: str) -> bool:
    """Whether a column of that unit (us or ms) gives the text of its time back as it was."""
    return written(time) == text and (unit == "us" or time.microsecond % _MILLISECOND == 0)


def written(time: datetime) -> str:
    """A time of a column as the text that most SDKs send: three digits, six if it has more."""
    digits = "microseconds" if time.microsecond % _MILLISECOND else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=digits).replace("+00:00", "Z")


def text_of(time: datetime) -> str:
    """A time as RFC 3339 text in UTC, with as many digits as it has."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

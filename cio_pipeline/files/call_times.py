"""Times of calls: from the text that an SDK sent, and into the text of a CSV file."""

import re
from datetime import UTC, datetime
from typing import Any

from cio_pipeline.model.times import iso_time

_EXACT = {
    unit: re.compile(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{{1,{digits}}})?Z", flags=re.ASCII)
    for unit, digits in (("us", 6), ("ms", 3))
}


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


def is_exact(text: str, unit: str) -> bool:
    """Whether a column of that unit (us or ms) says the same as the text, which is in UTC."""
    return _EXACT[unit].fullmatch(text) is not None


def text_of(time: datetime) -> str:
    """A time as RFC 3339 text in UTC, with as many digits as it has."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

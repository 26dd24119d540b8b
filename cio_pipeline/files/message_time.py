"""What a key template can say of a message's timestamp, which stays text (M1, M2)."""

import re
from datetime import UTC, datetime, timedelta, timezone

from cio_pipeline.model.times import HOUR, MINUTE

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?"
    rf"(?:[Zz]|([+-])({HOUR}):({MINUTE}))",
    re.ASCII,
)


def parse_timestamp(text: str) -> tuple[datetime, str]:
    """A timestamp of RFC 3339 as UTC to the second, and the nine digits of its fraction.

    Raises ValueError for anything else. Digits after the ninth are not looked at.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("is no RFC 3339 time")
    day, time, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        at = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("is no RFC 3339 time") from error
    return at, (fraction or "").ljust(9, "0")


def time_context(text: str) -> dict[str, str]:
    """The fields of `time`, all zero-padded strings, in UTC; raises ValueError as above."""
    at, nanos = parse_timestamp(text)
    date, clock = f"{at.year:04}-{at:%m-%d}", f"{at:%H:%M:%S}"
    return {
        "year": date[:4],
        "month": date[5:7],
        "day": date[8:],
        "hour": clock[:2],
        "minute": clock[3:5],
        "second": clock[6:],
        "date": date,
        "datetime": f"{date}T{clock}",
        "unix": str(int(at.timestamp())),
        "rfc3339": f"{date}T{clock}Z",
        "rfc3339_nano": f"{date}T{clock}.{nanos}Z",
    }

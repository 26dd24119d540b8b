"""D24: each reader of times refuses the same times, and takes the same ones."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from cio_pipeline.files.call_times import time_of
from cio_pipeline.files.message_time import parse_timestamp
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.times import EARLIEST, HOUR, LATEST, MINUTE, iso_time
from cio_pipeline.model.windows import parse_time
from cio_pipeline.sources.cells import times


def _or_none(read: Callable[[str], datetime]) -> Callable[[str], datetime | None]:
    def tried(text: str) -> datetime | None:
        try:
            return read(text)
        except (ValueError, InvalidConfig):
            return None

    return tried


READERS: dict[str, Callable[[str], Any]] = {
    "calls": time_of,
    "messages": _or_none(lambda text: parse_timestamp(text)[0]),
    "source load": lambda text: times(pl.Series([text])).item(),
    "the command line": _or_none(parse_time),
}

NO_TIMES = [
    "2026-01-02T03:04:05+25:00",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05-00:60",
    "2026-01-02T03:04:05+00:99",
    "2026-01-02T03:04:05+01:00:30",
    "0000-06-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59.999999-23:59",
    "+10000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:00Z",
    "2026-01-02X03:04:05Z",
    "2026-01-02T03:04:05Z\n",
    "\uff12026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Zulu",
]


@pytest.mark.parametrize("text", NO_TIMES)
@pytest.mark.parametrize("reader", READERS)
def test_d24_what_is_no_time_is_none_for_every_reader(reader: str, text: str) -> None:
    assert READERS[reader](text) is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+23:59", datetime(2026, 1, 1, 3, 5, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05-12:00", datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", EARLIEST),
        ("0001-01-01T23:59:00+23:59", EARLIEST),
        ("9999-12-31T00:00:00-23:59", datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_d24_times_are_the_same_for_every_reader(reader: str, text: str, time: datetime) -> None:
    assert READERS[reader](text) == time


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.999999Z", "9999-12-31t23:59:59.999999z"])
def test_the_last_time_is_read_whole(text: str) -> None:
    assert iso_time(text) == LATEST


def test_offsets_are_those_of_a_clock() -> None:
    numbers = [f"{number:02}" for number in range(100)]
    assert [n for n in numbers if re.fullmatch(HOUR, n)] == numbers[:24]
    assert [n for n in numbers if re.fullmatch(MINUTE, n)] == numbers[:60]

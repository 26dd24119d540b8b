from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.windows import (
    Window,
    closed_windows,
    data_out_window,
    last_closed_window,
    parse_time,
)

EARLIEST = datetime(2026, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
LATEST = datetime(2030, 1, 1)  # noqa: DTZ001 - the same
times = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(times)
def test_a_window_is_half_open_and_aligned_to_the_hour(moment: datetime) -> None:
    window = data_out_window(moment)
    assert window.start <= moment < window.end
    assert window.end - window.start == timedelta(minutes=15)
    assert window.start.minute % 15 == 0
    assert window.start.second == window.start.microsecond == 0


@given(times, st.integers(0, 50))
def test_closed_windows_follow_one_another_without_gap(moment: datetime, count: int) -> None:
    now = moment + timedelta(minutes=15 * count)
    windows = closed_windows(moment, now)
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert all(moment < window.end <= now for window in windows)
    assert len(windows) == count


def test_the_key_of_a_window_reads_back() -> None:
    window = data_out_window(at("2026-11-22T05:17"))
    assert window.key == "2026-11-22-05:15"
    assert parse_time(window.key) == window.start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T05:15", "2026-11-22T05:15"),
        ("2026-11-22", "2026-11-22T00:00"),
        ("2026-11-22T07:15+02:00", "2026-11-22T05:15"),
        ("2026-11-22T05:15:00Z", "2026-11-22T05:15"),
    ],
)
def test_times_are_read_as_utc(text: str, expected: str) -> None:
    assert parse_time(text) == at(expected)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "05:15"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidConfig, match="is no time") as caught:
        parse_time(text)
    assert "2026-11-22T05:15" in caught.value.next_step


@pytest.mark.parametrize(
    ("end", "cadence", "due"),
    [
        ("2026-11-22T05:15", Cadence.QUARTER_HOUR, True),
        ("2026-11-22T05:15", Cadence.HOUR, False),
        ("2026-11-22T06:00", Cadence.HOUR, True),
        ("2026-11-22T06:00", Cadence.DAY, False),
        ("2026-11-23T00:00", Cadence.DAY, True),
    ],
)
def test_o5_a_sync_is_due_where_the_window_ends_on_its_cadence(
    end: str,
    cadence: Cadence,
    due: bool,  # noqa: FBT001 - a parametrised value
) -> None:
    window = Window(at(end) - timedelta(minutes=15), at(end))
    assert window.due(cadence) is due


@given(times, st.sampled_from([(f, cadence) for f in Feed for cadence in f.cadences]))
def test_the_last_closed_window_is_closed_due_and_the_latest(
    moment: datetime, kind: tuple[Feed, Cadence]
) -> None:
    feed, cadence = kind
    window = last_closed_window(moment, cadence, feed)
    assert window.end <= moment < window.end + cadence.length
    assert window.due(cadence)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidConfig):
        Window(at("2026-11-22T05:15"), at("2026-11-22T05:15"))

"""Windows: half-open, UTC, aligned to the hour. A window is the label of a run, never a state."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.times import iso_time, utc

FIRST_WINDOW = datetime(2026, 1, 1, tzinfo=UTC)
"""No window begins before; those of a deployment begin with the hour of its first sync."""


@dataclass(frozen=True, order=True)
class Window:
    """What was committed in `[start, end)`; both are aware UTC datetimes.

    One that is `early` was cut before its end (`window_until`): a later run sends the rest of it.
    """

    start: datetime
    end: datetime
    early: bool = False

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start:
            raise InvalidConfig(f"{self.start} to {self.end} is no window.")

    @property
    def key(self) -> str:
        """The partition key in Dagster: the start as `YYYY-MM-DD-HH:MM`."""
        return self.start.strftime("%Y-%m-%d-%H:%M")

    def due(self, cadence: Cadence) -> bool:
        """Whether a sync of this cadence is served by the run of this window.

        All are by an early one: whoever does not wait for the window's end waits for no other.
        """
        if self.early:
            return True
        midnight = hour_of(self.end).replace(hour=0)
        return (self.end - midnight) % cadence.length == timedelta(0)


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour, UTC, that `at` (aware) falls into; windows are aligned to it."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def window_holding(at: datetime, feed: Feed) -> Window:
    """The window of a feed that `at` (aware) falls into; InvalidConfig after the last of all."""
    at = at.astimezone(UTC)
    start = at - (at - hour_of(at)) % feed.length
    try:
        return Window(start, start + feed.length)
    except OverflowError:
        raise InvalidConfig(f"No window begins at {utc(at)}.", "Give an earlier time.") from None


def window_ending(at: datetime, feed: Feed) -> Window:
    """The window of a feed that ends at `at`, or that `at` falls into."""
    return window_holding(at - timedelta(microseconds=1), feed)


def window_until(now: datetime, feed: Feed) -> Window:
    """The window that is open, cut `now`: everything committed up to now, whatever the cadence."""
    return Window(window_ending(now, feed).start, now, early=True)


def data_out_window(at: datetime) -> Window:
    """The 15-minute window that `at` (aware) falls into."""
    return window_holding(at, Feed.DATA_OUT)


def closed_windows(after: datetime, now: datetime, feed: Feed = Feed.DATA_OUT) -> list[Window]:
    """All windows that end later than `after` and not later than `now`, oldest first."""
    window = window_holding(after, feed)
    found: list[Window] = []
    while window.end <= now:
        found.append(window)
        window = window_holding(window.end, feed)
    return found


def last_closed_window(now: datetime, cadence: Cadence, feed: Feed = Feed.DATA_OUT) -> Window:
    """The latest window that has ended by `now` and is due for a sync of this cadence."""
    window = window_holding(now, feed)
    while window.end > now or not window.due(cadence):
        window = window_holding(window.start - timedelta(minutes=1), feed)
    return window


def parse_time(text: str) -> datetime:
    """An ISO 8601 time, or a window's key, as aware UTC; without an offset it is UTC.

    Raises InvalidConfig for anything else.
    """
    day_and_time = re.sub(r"^(\d{4}-\d\d-\d\d)-(\d\d:\d\d)$", r"\1T\2", text)
    try:
        return iso_time(day_and_time)
    except ValueError as error:
        raise InvalidConfig(
            f"'{text}' is no time.", "Write it like 2026-11-22T05:15 (UTC)."
        ) from error

"""Volumes that are not as they use to be: half, double, or an event that does not come any more.

An hour is held against the same hour, a day against the same day, of earlier weeks: the median and
the median distance from it (MAD), which a few odd weeks do not move. Where fewer than three such
are known, those of all days of the same kind are taken: working days, or weekends. Clocks change:
for some weeks an hour is as the one before or after it used to be then, and nothing is wrong. Small
counts vary by chance alone, so little is said of them by the hour, and more by the day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import hypot, pi, sqrt
from statistics import median
from zoneinfo import ZoneInfo

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.times import utc
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, KEPT, Key, Volumes

FEWEST = 3
"""So many earlier hours or days have to be known."""

SCORE = {HOUR: 3.5, DAY: 2.8}
"""Distances from what is expected, in its usual ones, that are odd: of many hours some are."""

LOW, HIGH = 0.6, 1.7
"""Parts of what is expected that are odd: a change by less matters to nobody at once."""

LITTLE = 20
"""Rows below which nothing is expected."""

_AS_SIGMA = 1.4826
"""The MAD of a normal distribution is this part of its deviation."""

_OF_A_MEDIAN = pi / 2
"""How much a median varies, by the number of what it is of."""

_BY_CHANCE = 1.3
"""Rows come in groups: they vary more than single ones that come by chance (by 1.0)."""

BESIDE = (-HOUR, HOUR)
"""What comes in an hour comes in one of these once people's clocks change."""

_CLOCKS = tuple(map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Australia/Sydney")))
"""Where clocks are changed on other days than elsewhere."""

_ALWAYS = {HOUR: 0.13, DAY: 0.1}
"""Whatever history says, volumes vary by such a part."""


@dataclass(frozen=True)
class Usual:
    """What is expected by `samples` earlier hours or days, and how far off it uses to be."""

    rows: float
    spread: float
    samples: int

    def score(self, seen: int) -> float:
        """How odd a number is: 0 for what is expected, below it negative."""
        return (seen - self.rows) / self.spread


def usual(samples: Sequence[int], length: timedelta) -> Usual | None:
    """What is expected by earlier hours or days; None if these are too few to tell."""
    if len(samples) < FEWEST:
        return None
    middle = median(samples)
    mad = median(abs(one - middle) for one in samples)
    usually = max(_AS_SIGMA * mad, _ALWAYS[length] * middle, 1.0)
    spread = hypot(usually, _BY_CHANCE * sqrt(middle))
    return Usual(middle, spread * sqrt(1 + _OF_A_MEDIAN / len(samples)), len(samples))


def is_odd(seen: int, expected: Usual, length: timedelta) -> bool:
    """Whether a number is so far off that somebody should look."""
    if expected.rows < LITTLE or abs(expected.score(seen)) < SCORE[length]:
        return False
    return not expected.rows * LOW < seen < expected.rows * HIGH


def compared_with(end: datetime, length: timedelta, since: datetime) -> list[datetime]:
    """The ends of earlier hours or days that one is held against; too few if too little is known.

    `since` is the beginning of what is known.
    """
    earlier = [end - n * DAY for n in range(1, KEPT // DAY)]
    known = [one for one in earlier if one - length >= since]
    of = (end - length).weekday()
    same = [one for one in known if (one - length).weekday() == of]
    if len(same) >= FEWEST:
        return same
    return [one for one in known if _is_weekend((one - length).weekday()) == _is_weekend(of)]


def _is_weekend(weekday: int) -> bool:
    return weekday >= 5  # noqa: PLR2004 - Saturday


@dataclass(frozen=True)
class Judged:
    """An export of a sync that can be judged: what is known of it begins at `since`."""

    pair: Pair
    owner: str | None
    since: datetime


def odd_volumes(
    end: datetime, length: timedelta, volumes: Volumes, judged: Iterable[Judged]
) -> Iterator[Finding]:
    """What was odd in the hour or day that ended at a time.

    `volumes` hold it, the one after it, and those that it is held against; of an hour also those
    BESIDE these, as far as they are to count. What came in a longer stretch, such as after an
    outage, is not judged.
    """
    ends: dict[datetime, list[datetime]] = {}
    events, known = _events(volumes), {key[:2] for its in volumes.values() for key in its}
    for one in judged:
        if one.pair not in known:
            continue
        if one.since not in ends:
            ends[one.since] = compared_with(end, length, one.since)
        earlier = ends[one.since]
        key = (*one.pair, ALL)
        if len(earlier) < FEWEST or not _is_whole(end, length, volumes, key):
            continue
        yield from _odd(end, length, one, volumes, earlier)
        for name in sorted(events.get(one.pair, ())):
            yield from _silent(end, one, name, volumes, earlier)


def _odd(
    end: datetime, length: timedelta, one: Judged, volumes: Volumes, earlier: Sequence[datetime]
) -> Iterator[Finding]:
    key = (*one.pair, ALL)
    seen, samples = _rows(volumes, end, key), [_rows(volumes, at, key) for at in earlier]
    if max(samples) < LITTLE:
        return
    expected = usual(samples, length)
    if expected is None or not is_odd(seen, expected, length):
        return
    less = seen < expected.rows
    beside = length == HOUR and clocks_changed(end, earlier)
    if beside and not _is_odd_beside(seen, expected, key, volumes, earlier):
        return
    yield _finding(
        one,
        f"{seen:,} rows in the {_called(length)} to {utc(end)}, about {expected.rows:,.0f} "
        f"expected by {expected.samples} earlier ones; score {expected.score(seen):+.1f}.",
        _LESS if less else _MORE,
        end,
    )


def clocks_changed(end: datetime, earlier: Iterable[datetime]) -> bool:
    """Whether people's clocks were others at some earlier time, somewhere."""
    return any(
        at.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset()
        for zone in _CLOCKS
        for at in earlier
    )


def _is_odd_beside(
    seen: int, expected: Usual, key: Key, volumes: Volumes, earlier: Sequence[datetime]
) -> bool:
    """Whether what is odd in an hour would be so, and in the same way, in those beside it."""
    less, all_of = seen < expected.rows, [expected]
    for beside in BESIDE:
        known = [at + beside for at in earlier if at + beside in volumes]
        its = usual([_rows(volumes, at, key) for at in known], HOUR)
        all_of += [its] if its else []
    nearest = (min if less else max)(all_of, key=lambda one: one.rows)
    return is_odd(seen, nearest, HOUR) and (seen < nearest.rows) == less


def _silent(
    end: datetime, one: Judged, kind: str, volumes: Volumes, earlier: Sequence[datetime]
) -> Iterator[Finding]:
    """An event that does not come any more, though others may."""
    key = (*one.pair, kind)
    expected = usual([_rows(volumes, at, key) for at in earlier], DAY)
    if _rows(volumes, end, key) or expected is None or not is_odd(0, expected, DAY):
        return
    name = kind.removeprefix(EVENT)
    yield _finding(
        one,
        f"No event '{name}' in the day to {utc(end)}, about {expected.rows:,.0f} expected by "
        f"{expected.samples} earlier ones; score {expected.score(0):+.1f}.",
        "It was renamed, or what sends it does not any more.",
        end,
        f"event {name}",
    )


_LESS = (
    "Less reaches the source tables: a part of what writes them stands still or lost its rights."
)
_MORE = "Something came twice into the source tables, or much was imported or sent just then."


def _finding(
    one: Judged, says: str, cause: str, end: datetime, about: str | None = None
) -> Finding:
    sync_id, export = one.pair
    look = "cio-pipeline source status"
    return Finding(
        "volumes", Severity.WARNING, says, cause, look, sync_id, one.owner, export, end, about
    )


def _called(length: timedelta) -> str:
    return "hour" if length == HOUR else "day"


def _rows(volumes: Volumes, end: datetime, key: Key) -> int:
    found = volumes.get(end, {}).get(key)
    return found.rows if found else 0


def _is_whole(end: datetime, length: timedelta, volumes: Volumes, key: Key) -> bool:
    """Whether what was sent for a stretch came in it and is of it alone."""
    start = end - length
    its, after = (volumes.get(at, {}).get(key) for at in (end, end + length))
    return (its is None or its.since >= start) and (after is None or after.since >= end)


def _events(volumes: Volumes) -> dict[Pair, set[str]]:
    found: defaultdict[Pair, set[str]] = defaultdict(set)
    for of_end in volumes.values():
        for sync_id, export, kind in of_end:
            if kind.startswith(EVENT):
                found[sync_id, export].add(kind)
    return found

"""Fourteen made days of a workspace: hours and weekdays have their pattern, counts their chance."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import cos, pi, sqrt

from cio_pipeline.model.findings import Finding
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, NOBODY, PERSON, Key, Volume
from cio_pipeline.monitoring.volume import Judged, odd_volumes

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""

DAYS = 14
ROWS_A_DAY = {"small": 1_500, "middle": 12_000, "large": 1_000_000}
WEEKDAYS = (1.1, 1.05, 1.0, 1.0, 0.85, 0.55, 0.5)
EXPORTS = {"events": 1.0, "deliveries": 0.6, "metrics": 1.4, "people": 0.8}
EVENTS = {"page_viewed": 0.6, "signed_up": 0.25, "checkout_started": 0.15}
KNOWN = 0.97
"""The share of rows that tell who they are about."""

Changed = Callable[[str, str, datetime], float]
"""(export, kind, hour's beginning): by how much the usual number is changed."""


def as_ever(_export: str, _kind: str, _at: datetime) -> float:
    return 1.0


@dataclass
class Fortnight:
    """The volumes of one sync, hour by hour."""

    rows_a_day: int
    seed: int
    changed: Changed = as_ever
    earlier: timedelta = timedelta(0)
    """By how much all that people do comes earlier in UTC from the tenth day on, when their
    clocks go forward."""
    swing: float = 0.8
    """How much busier the busiest hour is than the usual one."""
    hours: dict[datetime, dict[Key, Volume]] = field(default_factory=lambda: defaultdict(dict))
    days: dict[datetime, dict[Key, Volume]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - no secret
        for number in range(DAYS * 24):
            self._hour(BEGIN + number * HOUR)

    def _hour(self, at: datetime) -> None:
        local = at + self.earlier * (at >= day(10))
        pattern = (
            WEEKDAYS[local.weekday()] * (1 + self.swing * cos((local.hour - 14) / 24 * 2 * pi)) / 24
        )
        for export, share in EXPORTS.items():
            rows = self.rows_a_day * share * pattern
            kinds = {name: rows * part for name, part in EVENTS.items()}
            if export == "events":
                counts = {
                    EVENT + name: self._drawn(export, EVENT + name, at, its)
                    for name, its in kinds.items()
                }
                total = sum(counts.values())
            else:
                counts, total = {}, self._drawn(export, ALL, at, rows)
            known = round(total * KNOWN * self.changed(export, PERSON, at))
            counts |= {ALL: total, PERSON: known, NOBODY: total - known}
            for kind, number in counts.items():
                self._add(("s", export, kind), at, number)

    def _drawn(self, export: str, kind: str, at: datetime, rows: float) -> int:
        """A number that varies by a twelfth, and by chance as groups of rows do."""
        rows *= self.changed(export, kind, at) * self.changed(export, ALL, at) ** (kind != ALL)
        rows *= self.chance.lognormvariate(0, 1 / 12)
        return max(0, round(self.chance.gauss(rows, 1.2 * sqrt(rows))))

    def _add(self, key: Key, at: datetime, number: int) -> None:
        if not number:
            return
        if key[2] == ALL:
            self.hours[at + HOUR][key] = Volume(number, number * 50, at)
        day = at.replace(hour=0)
        so_far = self.days[day + DAY].get(key)
        self.days[day + DAY][key] = Volume(number + (so_far.rows if so_far else 0), 0, day)

    def found(self) -> Iterator[Finding]:
        """What is found at the end of each hour and day; nothing later is known then."""
        judged = [Judged(("s", export), "o@x.example", BEGIN) for export in EXPORTS]
        for number in range(1, DAYS * 24 + 1):
            end = BEGIN + number * HOUR
            yield from odd_volumes(end, HOUR, _until(self.hours, end), judged)
            if not number % 24:
                yield from odd_volumes(end, DAY, _until(self.days, end), judged)


def _until(
    volumes: dict[datetime, dict[Key, Volume]], end: datetime
) -> dict[datetime, dict[Key, Volume]]:
    return {at: volumes[at] for at in volumes if at <= end}


def day(number: int) -> datetime:
    """The beginning of a day, from 1."""
    return BEGIN + (number - 1) * DAY


def within(at: datetime, number: int, length: timedelta = DAY) -> bool:
    """Whether a time is within a day."""
    return day(number) <= at < day(number) + length

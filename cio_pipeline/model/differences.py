"""Differences: what a recount of a day's windows gives otherwise than what was sent of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from cio_pipeline.model.volumes import DAY, ended

OfDay: TypeAlias = tuple[str, str, datetime]
"""(sync id, export, a day's beginning)."""


@dataclass(frozen=True)
class Difference:
    """An export of a sync that the source tells otherwise than what was sent of (start, end].

    `changed` are rows that a recount gives, `sent` those in listed files, with what was `held` back
    where that is not told apart. `wrong` is why it could not be recounted. It stands for `ranges`
    of its day.
    """

    sync_id: str
    export: str
    start: datetime
    end: datetime
    changed: int = 0
    sent: int = 0
    held: int = 0
    wrong: str = ""
    keys_differ: bool = False
    ranges: int = 1

    @property
    def of_day(self) -> OfDay:
        """The day that it ends in; midnight is the end of one."""
        return self.sync_id, self.export, ended(self.end - timedelta(microseconds=1), DAY)


def by_day(found: Iterable[Difference]) -> dict[OfDay, Difference]:
    """One for each export and day: the first that could be recounted, which stands for the rest."""
    days: dict[OfDay, Difference] = {}
    for one in sorted(found, key=lambda one: (bool(one.wrong), one.end)):
        first = days.get(one.of_day, replace(one, ranges=0))
        keys_differ = first.keys_differ or one.keys_differ
        days[one.of_day] = replace(first, ranges=first.ranges + one.ranges, keys_differ=keys_differ)
    return days

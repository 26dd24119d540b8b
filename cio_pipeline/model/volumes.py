"""Volumes: how many rows of a kind an export sent to a sync in an hour or a day."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

ALL = ""
"""The kind of all rows of an export."""

PERSON, NOBODY = "person", "nobody"
"""Rows that tell who they are about, and those that do not."""

EVENT = "event:"
"""Before the name of an event: its rows."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
"""Volumes are added up by the hour and by the day, UTC. The day's alone are told by kind."""

KEPT = timedelta(days=36)
"""How long volumes are kept: five weeks, and the day that is judged."""

Key: TypeAlias = tuple[str, str, str]
"""(sync id, export, kind)."""


class Volume(NamedTuple):
    """What was sent in a stretch of time. `since` is where the earliest of its changesets began.

    If that is before the stretch, it holds what belongs to earlier ones, too. A tuple, since a
    window's checks read very many.
    """

    rows: int
    bytes: int
    since: datetime


Volumes: TypeAlias = Mapping[datetime, Mapping[Key, Volume]]
"""By the ends of hours or days."""


def ended(at: datetime, length: timedelta) -> datetime:
    """The end of the last hour or day that was over at a time."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // length * length

"""The feeds, and what is special to each as plain facts.

How the rows of a feed become files is its module in `pipeline/feeds`; which exports it has, in
`contracts/feeds.py`. Nothing else asks which feed it serves: it reads a fact, or calls what the
feed declares.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self


class Cadence(StrEnum):
    """How often a sync is served (O5): it is due in windows that end on a multiple of this."""

    _value_: str
    length: timedelta
    """The time from one due window to the next."""

    def __new__(cls, name: str, length: timedelta) -> Self:
        """A cadence by its name in sync files."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.length = length
        return member

    TEN_MINUTES = "10m", timedelta(minutes=10)
    QUARTER_HOUR = "15m", timedelta(minutes=15)
    HOUR = "1h", timedelta(hours=1)
    DAY = "1d", timedelta(days=1)


@dataclass(frozen=True)
class Facts:
    """What is special to a feed. Its windows are as long as its shortest `cadence`.

    `prefix` stands before the key of a window where windows of all feeds are counted.
    `options` are those of a sync that it has and others may not; `defaults`, where they differ. A
    feed that `forwards` sends what comes in from when its sync is made: it has no history, and its
    rows are only told by encoding them again. One that `overwrites` puts objects in place of
    earlier ones with their key, so it needs the right to put and no other (M4). One that
    `announces` writes an empty object before the first of a run (D8). In one that has
    `shared_numbers`, files of several types share a number (C1).
    """

    cadence: Cadence
    prefix: str
    options: frozenset[str]
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    forwards: bool = False
    overwrites: bool = False
    announces: bool = False
    shared_numbers: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """What a permission is needed by if a sync cannot do without it (`Permission`)."""
        return frozenset({"all"} if self.overwrites else {"all", "files"})


class Feed(StrEnum):
    """The kinds of feed that a sync can have (spec, the three feeds)."""

    _value_: str
    facts: Facts

    def __new__(cls, name: str, facts: Facts) -> Self:
        """A feed by its name in sync files."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.facts = facts
        return member

    DATA_OUT = (
        "data-out",
        Facts(
            Cadence.QUARTER_HOUR,
            "",
            frozenset({"version", "exports", "stems", "layout", "timestamp_unit", "contract"}),
            announces=True,
        ),
    )
    CALLS = (
        "calls",
        Facts(
            Cadence.TEN_MINUTES,
            "calls:",
            frozenset({"timestamp_unit", "format", "integration_id", "action_id", "write_empty"})
            | {"contract"},
            {"cadence": Cadence.TEN_MINUTES, "format": "json"},
            forwards=True,
            shared_numbers=True,
        ),
    )
    MESSAGES = (
        "messages",
        Facts(
            Cadence.QUARTER_HOUR,
            "messages:",
            frozenset({"key_template"}),
            forwards=True,
            overwrites=True,
        ),
    )

    @property
    def length(self) -> timedelta:
        """The length of its windows."""
        return self.facts.cadence.length

    @property
    def cadences(self) -> tuple[Cadence, ...]:
        """The cadences that its windows can keep; the first is one window."""
        return (self.facts.cadence, Cadence.HOUR, Cadence.DAY)

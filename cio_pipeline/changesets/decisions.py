"""What a (sync, export) may do in a window: the kinds of decision, and the words for each.

Belongs here: the values that `decide` gives. Not here: the rules that pick one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import Mode, Plan


@dataclass(frozen=True)
class Resume:
    """An open plan is finished before anything else of the export."""

    plan: Plan
    why: str


@dataclass(frozen=True)
class Off:
    """The export's switch is off."""

    why: str


@dataclass(frozen=True)
class NotDue:
    """The window is no work for this sync."""

    why: str


@dataclass(frozen=True)
class Covered:
    """The window lies before the position: all of it was delivered."""

    position: Cut
    why: str


@dataclass(frozen=True)
class Refused:
    """The rules forbid to go on; `message` and `next_step` are those of the error to raise."""

    message: str
    next_step: str
    why: str


@dataclass(frozen=True)
class Nothing:
    """The driving table did not change: only the position moves, to `upper`."""

    upper: Cut
    why: str


@dataclass(frozen=True)
class Snapshot:
    """All history at `upper`, from `floor` (processed_at, inclusive) on if there is one.

    `late` if the sync is long under way and only this table has come up since.
    """

    upper: Cut
    floor: datetime | None
    why: str
    late: bool = False


@dataclass(frozen=True)
class Changes:
    """Changes in `(lower, upper]`; both know the driving table."""

    lower: Cut
    upper: Cut
    why: str


@dataclass(frozen=True)
class CatchUp:
    """Changes since the export was turned off, as Changes.

    `floor` is the earliest processed_at that is sent; None if no older rows are left out.
    """

    lower: Cut
    upper: Cut
    floor: datetime | None
    why: str


Sending: TypeAlias = Snapshot | Changes | CatchUp | Resume
"""Decisions that ask the destination to take something."""


@dataclass(frozen=True)
class HeldBack:
    """The sync's breaker is open: what would be sent stays outstanding. `decide` never says so."""

    instead_of: Sending
    why: str


Decision: TypeAlias = Sending | Nothing | Covered | NotDue | Off | Refused | HeldBack
"""What a (sync, export) does in a window; consumers `match` and end with `assert_never`."""


def mode_of(decision: Decision) -> Mode | None:
    """The mode of the plan that a decision leads to; None if it leads to none."""
    match decision:
        case Snapshot():
            return Mode.INITIAL
        case Changes():
            return Mode.CHANGES
        case CatchUp():
            return Mode.CATCH_UP
        case Resume(plan):
            return plan.mode
        case Nothing() | Covered() | NotDue() | Off() | Refused() | HeldBack():
            return None
        case _:
            assert_never(decision)

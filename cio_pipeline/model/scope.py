"""The scope of a run: which syncs it serves, and in which lane."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from cio_pipeline.model.errors import InvalidConfig

SLICES_A_TURN = 20
"""Slices of an export's history per run: some minutes at most. Other initial exports that wait for
their lane come in between."""


class Lane(StrEnum):
    """What kind of work a run takes on.

    Ticks serve what has been initially exported; the initial lane serves what is new or resumed,
    so that a long first export never delays a tick. A run started by hand does both. The manifest
    lane runs no export: it lists files that a failed run left without a manifest. The slow lane
    does all kinds of work for syncs whose destination would hold up the others.
    """

    TICK = "tick"
    INITIAL = "initial"
    MANIFEST = "manifest"
    SLOW = "slow"
    ALL = "all"


def lane_of(text: str) -> Lane:
    """The lane of that name; raises InvalidConfig if there is none."""
    try:
        return Lane(text)
    except ValueError:
        raise InvalidConfig(
            f"There is no lane '{text}'.", f"The lanes are: {', '.join(Lane)}."
        ) from None


@dataclass(frozen=True)
class Scope:
    """`sync_ids` None means every sync."""

    sync_ids: Collection[str] | None = None
    lane: Lane = Lane.ALL

"""Which deliveries are slow: their syncs would hold up every export of a run."""

from collections.abc import Mapping, Sequence
from statistics import median

from cio_pipeline.model.plans import SealedPlan

PATIENCE = 5.0
"""Seconds from the beginning of a delivery that all others wait for it; then it is left to a run of
its own."""

SLOW_SECONDS = 2.0
"""A delivery that takes no longer is not slow, however fast the others are."""

BYTES_PER_SECOND = 4 * 1024 * 1024
"""What large files may take on top of both."""

SLOW_TIMES = 5
"""How many times as long as half of the others a slow delivery takes."""


def patience_for(sealed: Sequence[SealedPlan], patience: float | None) -> float | None:
    """How long all others wait at most, with what the files take; None: for ever."""
    if patience is None:
        return None
    return patience + max((_seconds_for_bytes(one) for one in sealed), default=0.0)


def _seconds_for_bytes(sealed: SealedPlan) -> float:
    return sum(file.bytes for file in sealed.files) / BYTES_PER_SECOND


def slow_plans(sealed: Sequence[SealedPlan], seconds: Mapping[int, float]) -> frozenset[int]:
    """Plans that took much longer than most: their syncs would hold up every export of a run."""
    if not seconds:
        return frozenset()
    limit = max(SLOW_SECONDS, SLOW_TIMES * median(seconds.values()))
    return frozenset(
        one.plan.plan_id
        for one in sealed
        if seconds.get(one.plan.plan_id, 0.0) > limit + _seconds_for_bytes(one)
    )

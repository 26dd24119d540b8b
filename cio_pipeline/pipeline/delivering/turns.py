"""What a sync may take of a run that it shares with others: nobody waits for the largest (O8)."""

from dataclasses import dataclass

from cio_pipeline.model.scope import Lane
from cio_pipeline.pipeline.delivering.deliver import PATIENCE

SLICES_A_TURN = 20
"""Slices of an export's history per run: some minutes at most. Other initial exports that wait for
their lane come in between."""


@dataclass(frozen=True)
class Turn:
    """A sync's turn in a run: `patience` is how many seconds all others wait for its delivery.

    `slices` of a plan are sent; the next run goes on with it. Whoever is `slow` after that gets
    runs of its own. None is without end.
    """

    patience: float | None = None
    slices: int | None = None
    slow: bool = False

    def goes_on(self, slices: int) -> bool:
        """Whether another slice is sent after so many."""
        return self.slices is None or slices < self.slices


ALONE = Turn()
"""Nobody else waits for this run."""


def turn_in(lane: Lane) -> Turn:
    """A sync's turn in a run of a lane: ticks and initial runs are shared."""
    match lane:
        case Lane.TICK:
            # Of whom a window has more than fits in memory would hold up all others.
            return Turn(PATIENCE, slices=1, slow=True)
        case Lane.INITIAL:
            return Turn(PATIENCE, slices=SLICES_A_TURN)
        case _:
            return ALONE

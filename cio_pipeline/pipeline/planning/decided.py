"""What one export's window means for each sync, and which lane acts on it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from cio_pipeline.changesets.decide import (
    CatchUp,
    Changes,
    Covered,
    Decision,
    HeldBack,
    NotDue,
    Nothing,
    Off,
    Refused,
    Resume,
    Sending,
    Snapshot,
    decide,
)
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.breaker import run_of, why_held_back
from cio_pipeline.pipeline.planning.begin import begin_of, is_fresh
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Decided:
    """A state and what is decided for it; `slow` syncs have a lane of their own.

    `begins` if its position is not stored yet.
    """

    state: ExportState
    decision: Decision
    slow: bool = False
    begins: bool = False

    def concerns(self, lane: Lane) -> bool:
        """Whether a run of this lane acts on it."""
        if lane is Lane.SLOW:
            return self.slow and in_lane(self.decision, Lane.ALL)
        fresh = is_fresh(self.state)
        if lane is Lane.TICK and isinstance(self.decision, HeldBack):
            # Of initial exports too: no run of theirs is asked for while the breaker is open.
            return True
        elsewhere = self.slow and lane is not Lane.ALL and isinstance(self.decision, Sending)
        return in_lane(self.decision, lane, fresh=fresh) and not elsewhere


def decided(
    services: Services,
    export: str,
    window: Window,
    cut: Cut,
    scope: Scope,
    *,
    cut_at: Callable[[Services, datetime, Collection[str]], Cut] = decide_cut,
) -> list[Decided]:
    """What each sync of the scope gets of an export in a window (D6); no position is changed.

    An export that forwards begins where the sync does: at `cut_at` of that time.
    """
    breakers, now = services.ledger.breakers.all(), services.clock()
    run, driving = run_of(services, window), ALL_EXPORTS[export].source
    found: list[Decided] = []
    for state in services.ledger.registry.states([export], scope.sync_ids):
        begins = state.position is None and facts_of(export).forwards
        at = state
        if begins:
            at = replace(state, position=cut_at(services, begin_of(state), [driving]))
        decision = decide(at, window, cut, driving)
        breaker = breakers.get(state.sync.id)
        why = why_held_back(breaker, state.sync, run, now)
        if why is not None and isinstance(decision, Sending):
            decision = HeldBack(decision, why)
        slow = breaker is not None and breaker.slow(now)
        found.append(Decided(at, decision, slow, begins))
    return found


def in_lane(decision: Decision, lane: Lane, *, fresh: bool = False) -> bool:
    """Whether a run of this lane acts on the decision, or says why it does not.

    `fresh`: the export is served by the initial lane now, whatever its open plan was made for.
    """
    match decision.instead_of if isinstance(decision, HeldBack) else decision:
        case Off() | NotDue() | Covered():
            return False
        case Snapshot(late=late):
            return lane is not Lane.TICK or late
        case CatchUp():
            return lane is not Lane.TICK
        case Resume(plan=plan):
            initial = plan.lower is None
            return {Lane.INITIAL: initial or fresh, Lane.TICK: not initial}.get(lane, True)
        case Changes():
            return lane is not Lane.INITIAL
        case Nothing() | Refused():
            return True
        case _ as never:
            assert_never(never)

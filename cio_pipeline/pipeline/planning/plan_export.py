"""Planning one export of a window: who is due, what each gets, frozen before anything is read."""

from collections.abc import Callable, Collection, Iterable, Sequence
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
    mode_of,
)
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of, fingerprint_of, stem_of
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.failures import HELD_BACK, Failure
from cio_pipeline.model.plans import PRODUCER, Mode, Plan, PlanDraft
from cio_pipeline.model.registry import ExportState, Lease, LeaseHolder, Outcome, Pair
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.breaker import run_of, why_held_back
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.planning.cohorts import with_slices
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
        fresh = self.state.is_fresh
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
    run, driving = run_of(services.owner, window), ALL_EXPORTS[export].source
    found: list[Decided] = []
    for state in services.ledger.registry.states([export], scope.sync_ids):
        begins = state.position is None and facts_of(export).forwards
        at = state
        if begins:
            at = replace(state, position=cut_at(services, state.begin, [driving]))
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
            first = plan.lower is None or plan.is_first
            return {Lane.INITIAL: first or fresh, Lane.TICK: not first}.get(lane, True)
        case Changes():
            return lane is not Lane.INITIAL
        case Nothing() | Refused():
            return True
        case _ as never:
            assert_never(never)


@dataclass(frozen=True)
class Batch:
    """What one export of one window is about to send, under a lease: a value, nothing of it lives.

    `busy` names pairs that another run is working on. `known` are outcomes that need no
    delivery: refusals, and syncs held back by their breaker. `advanced` counts syncs with nothing
    to send. `notices` were told while open plans were finished.
    """

    export: str
    window: Window
    cut: Cut
    lease: Lease
    plans: tuple[Plan, ...]
    known: tuple[Outcome, ...] = ()
    busy: tuple[LeaseHolder, ...] = ()
    advanced: int = 0
    lane: Lane = Lane.ALL
    notices: tuple[str, ...] = ()

    def with_known(self, outcomes: Sequence[Outcome]) -> "Batch":
        """The same with outcomes known before delivery; they replace others of their syncs."""
        told = {one.sync_id for one in outcomes}
        others = [one for one in self.known if one.sync_id not in told]
        return replace(self, known=(*others, *outcomes))


def claim(
    services: Services, export: str, window: Window, cut: Cut, scope: Scope
) -> tuple[Batch, list[Decided] | None]:
    """Claim what is due in the scope; the batch has no plans yet.

    Whoever has nothing to send is moved on without a claim. A pair that another run holds is left
    to it and named in `busy`. Returned are the decisions for what is held, too; None if somebody
    held any of it when they were made or later: they are to be made again.
    """
    tokens = services.ledger.leases.tokens(export)
    items = decided(services, export, window, cut, scope)
    due = [item for item in items if item.concerns(scope.lane)]
    # Where nothing changed, and nobody else is at it: most pairs, most windows.
    stands = {
        (item.state.sync.id, export): item.state.position.at
        for item in due
        if isinstance(item.decision, Nothing) and item.state.position and not item.begins
    }
    moved: Collection[Pair] = ()
    if stands:
        moved = frozenset(services.ledger.plans.advance_unheld(stands, cut, services.clock()))
    pairs = [(item.state.sync.id, export) for item in due]
    lease, busy = services.ledger.leases.claim(
        [pair for pair in pairs if pair not in moved], services.owner, services.clock(), TTL
    )
    batch = Batch(
        export, window, cut, lease, (), busy=tuple(busy), advanced=len(moved), lane=scope.lane
    )
    if any(token != tokens.get(pair, 0) + 1 for pair, token in lease.tokens.items()):
        return batch, None
    return batch, [item for item in due if (item.state.sync.id, export) in lease.tokens]


def to_resume(items: Iterable[Decided]) -> tuple[Plan, ...]:
    """Plans that an earlier run left open."""
    return tuple(item.decision.plan for item in items if isinstance(item.decision, Resume))


def plan_batch(services: Services, batch: Batch, items: Sequence[Decided]) -> Batch:
    """Open a plan for every held sync that has something to be sent, and move on the others.

    Whoever still has an open plan (it could not be delivered just now) is left out.
    """
    if not items:
        return batch
    nothing = [item for item in items if isinstance(item.decision, Nothing)]
    pairs = [(item.state.sync.id, batch.export) for item in nothing]
    now = services.clock()
    begin = [item for item in items if item.begins]
    if begin:
        _store_begins(services.ledger.plans, batch, begin, now)
    if pairs:
        services.ledger.plans.advance(batch.lease, pairs, batch.cut, now)
    drafts = with_slices(services.source, drafts_of(items, batch.cut), services.slice_rows)
    known: list[Outcome] = []
    for item in items:
        if isinstance(item.decision, Refused | HeldBack):
            kind = "Refused" if isinstance(item.decision, Refused) else HELD_BACK
            error, sync = Failure(kind, item.decision.why), item.state.sync
            known.append(Outcome(sync.id, batch.export, sync.workspace_id, None, error=error))
    return replace(
        batch,
        plans=tuple(services.ledger.plans.open(batch.lease, drafts, now)),
        known=tuple(known),
        advanced=batch.advanced + len(nothing),
    )


def _store_begins(plans: Plans, batch: Batch, items: Iterable[Decided], now: datetime) -> None:
    """The positions that exports begin at, by cut: plans go on from stored ones only."""
    begun: dict[datetime, tuple[Cut, list[Pair]]] = {}
    for item in items:
        position = item.state.position
        if position is not None:
            _, pairs = begun.setdefault(position.at, (position, []))
            pairs.append((item.state.sync.id, batch.export))
    for cut, pairs in begun.values():
        plans.advance(batch.lease, pairs, cut, now)


def decided_again(services: Services, batch: Batch, scope: Scope) -> list[Decided]:
    """Decisions for what the batch holds: another run may have moved on before the claim."""
    ids = [sync_id for sync_id, _ in batch.lease.tokens]
    if not ids:
        return []
    held = Scope(ids, scope.lane)
    items = decided(services, batch.export, batch.window, batch.cut, held)
    return [item for item in items if item.concerns(scope.lane)]


def drafts_of(items: Iterable[Decided], cut: Cut) -> list[PlanDraft]:
    """The plans of those decisions that send something."""
    drafts: list[PlanDraft] = []
    for item in items:
        mode = mode_of(item.decision)
        if mode is not None and isinstance(item.decision, Snapshot | Changes | CatchUp):
            floor = None if isinstance(item.decision, Changes) else item.decision.floor
            drafts.append(draft(item.state, mode, cut, floor))
    return drafts


def draft(state: ExportState, mode: Mode, upper: Cut, floor: datetime | None = None) -> PlanDraft:
    """A plan from a state's position to `upper`, with the numbers that come next."""
    sync, export = state.sync, ALL_EXPORTS[state.export]
    return PlanDraft(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        export=export.name,
        version=sync.version,
        timestamp_unit=sync.timestamp_unit,
        stem=stem_of(sync, export),
        generation=state.registered.generation,
        mode=mode,
        lower=state.position,
        upper=upper,
        floor=floor,
        first=state.next_sequence,
        rows_per_file=export.rows_per_file,
        fingerprint=fingerprint_of(sync, export),
        layout=sync.layout,
        contract=sync.contract.digests.get(export.name) if sync.contract else None,
        # Where no first files are known of, as in a rebuilt ledger, nobody is remembered either.
        producer=PRODUCER,
        begun=None if mode is Mode.INITIAL else state.begun or state.registered.created_at,
    )

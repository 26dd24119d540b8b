"""Planning one export of a window: who is due, what each gets, frozen before anything is read."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cio_pipeline.changesets.decide import (
    CatchUp,
    Changes,
    HeldBack,
    Nothing,
    Refused,
    Resume,
    Snapshot,
    mode_of,
)
from cio_pipeline.contracts.feeds import ALL_EXPORTS, fingerprint_of, stem_of
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.plans import PRODUCER, Mode, Plan, PlanDraft
from cio_pipeline.model.registry import ExportState, Lease, LeaseHolder, Outcome, Pair
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of
from cio_pipeline.pipeline.planning.cuts import decide_cut, tables_of
from cio_pipeline.pipeline.planning.decided import Decided, decided
from cio_pipeline.pipeline.planning.slices import with_slices
from cio_pipeline.pipeline.services import Services


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
    cohorts: tuple[Cohort[Plan], ...]
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


def claim(services: Services, export: str, window: Window, cut: Cut, scope: Scope) -> Batch:
    """Claim what is due in the scope; the batch has no plans yet.

    Whoever has nothing to send is moved on without a claim. A pair that another run holds is left
    to it and named in `busy`.
    """
    items = decided(services, export, window, cut, scope)
    due = [item for item in items if item.concerns(scope.lane)]
    moved = _moved_on(services, due, cut)
    pairs = [(item.state.sync.id, export) for item in due]
    lease, busy = services.ledger.leases.claim(
        [pair for pair in pairs if pair not in moved], services.owner, services.clock(), TTL
    )
    return Batch(
        export, window, cut, lease, (), busy=tuple(busy), advanced=len(moved), lane=scope.lane
    )


def _moved_on(services: Services, items: Iterable[Decided], cut: Cut) -> Collection[Pair]:
    """Move positions where nothing changed and nobody else is at it: most pairs, most windows."""
    stands = {
        (item.state.sync.id, item.state.export): item.state.position.at
        for item in items
        if isinstance(item.decision, Nothing)
        and item.state.position is not None
        and not item.begins
    }
    if not stands:
        return ()
    return frozenset(services.ledger.plans.advance_unheld(stands, cut, services.clock()))


def open_plans(items: Iterable[Decided]) -> tuple[Plan, ...]:
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
    _store_begins(services, batch, items)
    services.ledger.plans.advance(batch.lease, pairs, batch.cut, now)
    drafts = with_slices(services, drafts_of(items, batch.cut))
    plans = services.ledger.plans.open(batch.lease, drafts, now)
    return replace(
        batch,
        cohorts=tuple(cohorts_of(plans)),
        known=tuple(_refusals(items)),
        advanced=batch.advanced + len(nothing),
    )


def _store_begins(services: Services, batch: Batch, items: Iterable[Decided]) -> None:
    """The positions that exports begin at, by cut: plans go on from stored ones only."""
    begun: dict[datetime, tuple[Cut, list[Pair]]] = {}
    for item in items:
        if item.begins and item.state.position is not None:
            position = item.state.position
            _, pairs = begun.setdefault(position.at, (position, []))
            pairs.append((item.state.sync.id, batch.export))
    for cut, pairs in begun.values():
        services.ledger.plans.advance(batch.lease, pairs, cut, services.clock())


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
        # Where no first files are known of, as in a rebuilt ledger, nobody is remembered either.
        producer=PRODUCER,
        begun=None if mode is Mode.INITIAL else state.begun or state.registered.created_at,
    )


def _refusals(items: Sequence[Decided]) -> Iterable[Outcome]:
    for item in items:
        if isinstance(item.decision, Refused | HeldBack):
            sync, why = item.state.sync, item.decision.why
            kind = "Refused" if isinstance(item.decision, Refused) else "BreakerOpen"
            error = Failure(kind, why)
            yield Outcome(sync.id, item.state.export, sync.workspace_id, None, error=error)


def cut_of(services: Services, window: Window, export: str) -> Cut:
    """The window's cut, decided and stored if it was not yet; raises the errors of its tables."""
    return decide_cut(services, window.end, tables_of(export))

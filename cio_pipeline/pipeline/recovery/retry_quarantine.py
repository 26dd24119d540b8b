"""Sending rows that were held back, once they are mended."""

from collections.abc import Collection, Iterator, Sequence

from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.plans import Mode, Plan, PlanDraft
from cio_pipeline.model.registry import ExportState, Lease, LeaseHolder, Outcome
from cio_pipeline.model.windows import Window, last_closed_window
from cio_pipeline.pipeline.committing.commit import commit
from cio_pipeline.pipeline.delivering.deliver import failed_with
from cio_pipeline.pipeline.delivering.send import send
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease, held_by
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline.pipeline.services import Services


def retry_quarantine(
    services: Services, sync_ids: Collection[str] | None = None
) -> tuple[Outcome, ...]:
    """Read every quarantined row again as it stands at its sync's position, and send the mended.

    Reading at the position, and not later, keeps what is sent exactly once: a row mended later is
    part of the next window's changes, which resolves its entry. Rows that still break the
    contract stay in quarantine. What another run works on is an outcome, too. Raises the source's
    errors.
    """
    window = last_closed_window(services.clock(), Cadence.QUARTER_HOUR)
    registry, pairs = services.ledger.registry, services.ledger.quarantine.pairs(sync_ids)
    lease, busy = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        done = _sent(services, held, _open(registry, lease), window)
        drafts = [draft for state in _states(registry, lease) for draft in _draft(state)]
        plans = services.ledger.plans.open(lease, drafts, services.clock())
        return (*done, *_sent(services, held, plans, window), *_held(registry, busy))
    finally:
        held.release()


def _sent(
    services: Services, held: HeldLease, plans: Sequence[Plan], window: Window
) -> tuple[Outcome, ...]:
    """Send plans and commit them."""
    outcomes = send(services, held, plans, window)
    open_plans = _open(services.ledger.registry, held.lease)
    delivered = [plan for plan in open_plans if plan.is_delivered]
    _, failed = commit(services, held.lease, window, delivered)
    return tuple(
        failed_with(one, failed[one.sync_id]) if one.sync_id in failed else one for one in outcomes
    )


def _held(registry: Registry, busy: Sequence[LeaseHolder]) -> Iterator[Outcome]:
    workspaces = {one.sync.id: one.sync.workspace_id for one in registry.all()}
    for holder in busy:
        workspace, error = workspaces[holder.sync_id], Failure.of(held_by(holder))
        yield Outcome(holder.sync_id, holder.export, workspace, Mode.RETRY, error=error)


def _states(registry: Registry, lease: Lease) -> Sequence[ExportState]:
    exports = sorted({export for _, export in lease.tokens})
    ids = sorted({sync_id for sync_id, _ in lease.tokens})
    states = registry.states(exports, ids)
    return [state for state in states if (state.sync.id, state.export) in lease.tokens]


def _open(registry: Registry, lease: Lease) -> list[Plan]:
    return [state.open_plan for state in _states(registry, lease) if state.open_plan is not None]


def _draft(state: ExportState) -> list[PlanDraft]:
    if state.position is None or state.open_plan is not None or not state.on:
        return []
    return [draft(state, Mode.RETRY, state.position)]

"""One export of one window, top to bottom: claim, resume, plan, then seal, deliver, commit.

Crash anywhere and run again: every sealed file is there once, and no row is lost or doubled.
"""

from collections.abc import Iterable, Sequence

from cio_pipeline.model.plans import Plan, SealedPlan
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.deliver import deliver
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.plan_export import Batch, claim, cut_of, open_plans, plan_batch
from cio_pipeline.pipeline.seal import reencode, seal_cohort, still_spooled
from cio_pipeline.pipeline.services import Services


def plan_export(services: Services, export: str, window: Window, scope: Scope) -> Batch:
    """Decide and freeze what an export sends in a window; open plans are finished first.

    The batch holds a lease: pass it to deliver_export, which gives it back.
    Raises the source's errors; nothing is left claimed then.
    """
    cut = cut_of(services, window)
    batch = claim(services, export, window, cut, scope)
    try:
        resumed = resume(services, batch.lease, open_plans(services, batch, scope))
        record_errors(services, window, resumed)
        planned = plan_batch(services, batch, scope)
    except BaseException:
        batch.lease.release()
        raise
    return planned.with_known(resumed)


def resume(services: Services, lease: HeldLease, plans: Sequence[Plan]) -> tuple[Outcome, ...]:
    """Finish plans that an earlier run left open, wherever it stopped."""
    spooled = still_spooled(services, plans)
    done = {sealed.plan.plan_id for sealed in spooled}
    lost = [plan for plan in plans if plan.plan_id not in done]
    return deliver(services, lease, [*spooled, *reencode(services, lease.lease, lost)])


def deliver_export(services: Services, batch: Batch) -> tuple[Outcome, ...]:
    """Seal, deliver and commit a planned batch, and give its lease back.

    Returns one outcome per sync that was worked on; errors of single syncs are outcomes and are
    recorded. Raises the source's errors, and LedgerError.
    """
    try:
        outcomes = [*batch.known]
        for cohort in batch.cohorts:
            sealed: list[SealedPlan] = seal_cohort(services, batch.lease.lease, cohort)
            outcomes += deliver(services, batch.lease, sealed)
        record_errors(services, batch.window, outcomes)
    finally:
        batch.lease.release()
    return tuple(outcomes)


def run_export(
    services: Services, export: str, window: Window, scope: Scope
) -> tuple[Outcome, ...]:
    """Both steps in one, for callers without an IO manager."""
    return deliver_export(services, plan_export(services, export, window, scope))


def record_errors(services: Services, window: Window, outcomes: Iterable[Outcome]) -> None:
    """Keep what went wrong for single syncs, so that the window counts as settled for them."""
    for outcome in outcomes:
        if outcome.error is not None:
            kind, _, message = outcome.error.partition(": ")
            services.ledger.errors.record(
                [(outcome.sync_id, outcome.export)], window.end, kind, message, services.clock()
            )


def every_sync_failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether there was work and none of it succeeded."""
    return bool(outcomes) and all(outcome.error is not None for outcome in outcomes)

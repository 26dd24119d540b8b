"""One export of one window, top to bottom: claim, resume, plan, then seal and deliver.

What all exports delivered is committed at the window's end, by `committing.commit_window`. Crash
anywhere and run again: every sealed file is there once, and no row is lost or doubled.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from cio_pipeline.ledger.troubles import FailingPairs
from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.errors import ColumnMismatch, LeaseLost, PositionMoved
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.plans import Mode, Plan, PlanState
from cio_pipeline.model.registry import Outcome, Pair
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.breaker import note
from cio_pipeline.pipeline.committing.commit import commit
from cio_pipeline.pipeline.delivering.deliver import failed_with, turn_in
from cio_pipeline.pipeline.delivering.read_once import reading_once
from cio_pipeline.pipeline.delivering.send import send
from cio_pipeline.pipeline.heartbeat import HeldLease, taken_up
from cio_pipeline.pipeline.planning.cuts import decide_cut, tables_of
from cio_pipeline.pipeline.planning.plan_export import (
    Batch,
    claim,
    decided_again,
    plan_batch,
    to_resume,
)
from cio_pipeline.pipeline.services import Services


def plan_export(services: Services, export: str, window: Window, scope: Scope) -> Batch:
    """Decide and freeze what an export sends in a window; open plans are finished first.

    The batch names the tokens of a lease that is renewed until this returns: deliver_export takes
    it up and gives it back. If nothing does, it expires. Raises the source's errors; nothing is
    left claimed then.
    """
    cut = decide_cut(services, window.end, tables_of(export))
    batch, found = claim(services, export, window, cut, scope)
    notices: list[str] = []
    with taken_up(services, batch.lease, hand_on=True) as held:
        items = decided_again(services, batch, scope) if found is None else found
        resumed: tuple[Outcome, ...] = ()
        left = to_resume(items)
        if left:
            telling = replace(services, notice=notices.append)
            resumed = _resume(telling, batch, held, left, scope)
            items = decided_again(services, batch, scope)
        planned = plan_batch(services, batch, items)
    if left:
        planned = replace(planned.with_known(resumed), notices=tuple(notices))
    return planned


def _resume(
    services: Services, batch: Batch, held: HeldLease, plans: Sequence[Plan], scope: Scope
) -> tuple[Outcome, ...]:
    """Finish what an earlier run left; what does not reach this window's end is committed, too."""
    turn = turn_in(batch.lane)
    with reading_once(services, plans, turn.slices) as once:
        resumed = send(once, held, plans, batch.window, turn)
    left = to_resume(decided_again(services, batch, scope))
    short = [one for one in left if one.is_delivered and one.upper.at < batch.cut.at]
    _, failed = commit(services, held.lease, batch.window, short)
    resumed = tuple(
        failed_with(one, failed[one.sync_id]) if one.sync_id in failed else one for one in resumed
    )
    again = _give_way(services, batch, held, left, resumed)
    resumed = tuple(one for one in resumed if one.sync_id not in again)
    record_errors(services.ledger.failing, held, batch.window, resumed)
    note(services, batch.window, resumed)
    return resumed


def _give_way(
    services: Services,
    batch: Batch,
    held: HeldLease,
    plans: Iterable[Plan],
    resumed: Iterable[Outcome],
) -> set[str]:
    """The syncs whose plans are closed, since they end where a column was missing for good.

    The table is another one by now: what is planned anew in their place may find it mended. Nothing
    of them is sealed, so no number of theirs is used.
    """
    unfit = {
        one.sync_id for one in resumed if one.error and one.error.kind == ColumnMismatch.__name__
    }
    found: set[str] = set()
    for plan in plans:
        if plan.sync_id not in unfit or not _ends_elsewhere(plan, batch):
            continue
        # Another run may have taken it over meanwhile: then it is that one's.
        with suppress(LeaseLost, PositionMoved):
            services.ledger.plans.abandon(held.lease, plan, void=False, now=services.clock())
            found.add(plan.sync_id)
    return found


def _ends_elsewhere(plan: Plan, batch: Batch) -> bool:
    """Whether a plan that has read nothing yet ends at other versions than this window does."""
    moves = plan.mode in (Mode.INITIAL, Mode.CHANGES, Mode.CATCH_UP)
    fresh = moves and plan.state is PlanState.OPEN and plan.slice == 0
    if not fresh or plan.upper.at >= batch.cut.at:
        return False
    tables = tables_of(batch.export)
    return any(plan.upper.tables.get(one) != batch.cut.tables.get(one) for one in tables)


def deliver_export(services: Services, batch: Batch) -> tuple[Outcome, ...]:
    """Take up a planned batch's lease, seal and deliver it, and give the lease back.

    Returns one outcome per sync that was worked on; errors of single syncs are outcomes and are
    recorded, also LeaseLost for what another run took over since it was planned. Raises the
    source's errors, and LedgerError.
    """
    turn = turn_in(batch.lane)
    with taken_up(services, batch.lease) as held:
        with reading_once(services, batch.plans, turn.slices) as once:
            sent = send(once, held, batch.plans, batch.window, turn)
        outcomes = (*batch.known, *sent)
        record_errors(services.ledger.failing, held, batch.window, outcomes)
        note(services, batch.window, sent)
    return outcomes


def run_export(
    services: Services, export: str, window: Window, scope: Scope
) -> tuple[Outcome, ...]:
    """Both steps in one, for callers without an IO manager; `commit_window` commits afterwards."""
    return deliver_export(services, plan_export(services, export, window, scope))


def record_errors(
    failing: FailingPairs, lease: HeldLease, window: Window, outcomes: Iterable[Outcome]
) -> None:
    """Keep what went wrong for single syncs, so that the window counts as settled for them.

    But for those whose lease is lost: what comes of the window is then the heir's to say. So it is
    with syncs that are slow: a run of their own serves the window.
    """
    failed: dict[Pair, Failure] = {}
    for outcome in outcomes:
        pair = (outcome.sync_id, outcome.export)
        error = outcome.error
        if error is not None and error.trip is not Trip.SLOW and _still_held(lease, pair):
            failed[pair] = error
    if failed:
        failing.record(failed, window)


def _still_held(lease: HeldLease, pair: Pair) -> bool:
    try:
        lease.check(pair)
    except LeaseLost:
        return False
    return True


def every_sync_failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether there was work and none of it succeeded."""
    return bool(outcomes) and all(outcome.error is not None for outcome in outcomes)

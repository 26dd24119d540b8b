"""Sending plans: seal and deliver, slice by slice, until nothing of them is left.

Each slice is committed before the next one is encoded; what comes last waits for the window's end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from cio_pipeline.model.errors import (
    CioError,
    DigestMismatch,
    LeaseLost,
    LedgerBusy,
    LedgerError,
    PositionMoved,
)
from cio_pipeline.model.plans import Plan, SealedPlan
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.commit import commit_slices
from cio_pipeline.pipeline.delivering.deliver import deliver, failed_with, failure_of
from cio_pipeline.pipeline.delivering.room import OF_FILES, wait_for_room
from cio_pipeline.pipeline.delivering.seal import already_made, seal_cohort
from cio_pipeline.pipeline.delivering.seal_anew import opened_anew
from cio_pipeline.pipeline.delivering.turns import ALONE, Turn
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of
from cio_pipeline.pipeline.services import Services

Parts: TypeAlias = tuple[list[SealedPlan], list[tuple[Plan, CioError]]]
"""What of a cohort is sealed, and plans that cannot be, each with its reason."""


def send(
    services: Services,
    lease: HeldLease,
    plans: Iterable[Plan],
    window: Window,
    turn: Turn = ALONE,
) -> tuple[Outcome, ...]:
    """Send unfinished plans until they are delivered or their turn is over.

    Those that read the same rows are sent together, those that need fewer slices first.

    All that is sent in one piece is delivered together, so that a destination that does not answer
    is waited for once; what has slices goes cohort by cohort.

    One outcome per plan, over all of its slices. A plan that fails, or whose source rows cannot be
    read, stays at its slice with its error as outcome, and the others go on (O8). Raises
    LedgerError and LedgerBusy; what was delivered until then stays delivered.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = list(plans)
    first = {plan.plan_id: plan.slice for plan in waiting}
    while waiting:
        cohorts, parts = _sealed_while_room(services, lease, _next(waiting))
        waiting = _others(waiting, cohorts)
        sealed = [one for some, _ in parts for one in some]
        failed = [one for _, some in parts for one in some]
        delivered = deliver(services, lease, sealed, turn.patience)
        going_on = _going_on(sealed, delivered)
        stuck = commit_slices(services, lease.lease, window, [one.plan for one in going_on])
        news = [(plan, failure_of(plan, error)) for plan, error in failed]
        news += [(one.plan, now) for one, now in zip(sealed, delivered, strict=True)]
        for plan, outcome in news:
            outcomes[plan.plan_id] = _total(outcomes.get(plan.plan_id), outcome)
        if sealed:
            _tell(services, cohorts[0].model)
        for plan in (one.rest for one in going_on):
            outcome = outcomes[plan.plan_id]
            if plan.sync_id in stuck:
                outcomes[plan.plan_id] = failed_with(outcome, stuck[plan.sync_id])
            elif turn.goes_on(plan.slice - first[plan.plan_id]):
                waiting.append(plan)
            else:
                outcomes[plan.plan_id] = replace(outcome, slow=turn.slow)
    return tuple(outcomes.values())


def _sealed_while_room(
    services: Services, lease: HeldLease, cohorts: Sequence[Cohort[Plan]]
) -> tuple[Sequence[Cohort[Plan]], list[Parts]]:
    """The first cohorts, sealed: as many as the spool has room for, and one at least."""
    parts: list[Parts] = []
    for cohort in cohorts:
        with services.spool.one_writer():
            if parts and not services.spool.roomy(OF_FILES):
                break
            parts.append(_sealed_or_failed(services, lease, cohort))
    return cohorts[: len(parts)], parts


def _sealed_or_failed(services: Services, lease: HeldLease, cohort: Cohort[Plan]) -> Parts:
    """The cohort's slice, sealed, and the plans that cannot be, each with its reason."""
    try:
        return _sealed(services, lease, cohort), []
    except (LedgerError, LedgerBusy):
        raise
    except (DigestMismatch, LeaseLost, PositionMoved) as error:
        if len(cohort.plans) == 1:
            return _anew_or_failed(services, lease, cohort, error)
        # These concern single plans: the others must not wait for them.
        alone = [replace(cohort, plans=(plan,)) for plan in cohort.plans]
        parts = [_sealed_or_failed(services, lease, one) for one in alone]
        return [s for part, _ in parts for s in part], [f for _, part in parts for f in part]
    except CioError as error:
        return [], [(plan, error) for plan in cohort.plans]


def _anew_or_failed(
    services: Services, lease: HeldLease, cohort: Cohort[Plan], error: CioError
) -> tuple[list[SealedPlan], list[tuple[Plan, CioError]]]:
    """The only plan of a cohort, sealed anew if another release sealed it and put nothing."""
    try:
        anew = None
        if isinstance(error, DigestMismatch):
            anew = opened_anew(services, lease.lease, cohort.model)
    except (LedgerError, LedgerBusy):
        raise
    except CioError as found:
        return [], [(cohort.model, found)]
    if anew is None:
        return [], [(cohort.model, error)]
    return _sealed_or_failed(services, lease, replace(cohort, plans=(anew,)))


def _sealed(services: Services, lease: HeldLease, cohort: Cohort[Plan]) -> list[SealedPlan]:
    """The cohort's slice, sealed; what an earlier run made of it is not encoded again.

    Raises what seal_cohort raises.
    """
    made = already_made(services, cohort.plans)
    found = {one.plan.plan_id for one in made}
    missing = tuple(plan for plan in cohort.plans if plan.plan_id not in found)
    if not missing:
        return made
    wait_for_room(services)
    return [*made, *seal_cohort(services, lease.lease, replace(cohort, plans=missing))]


def _tell(services: Services, plan: Plan) -> None:
    if plan.slices > 1:
        services.progress(f"{plan.export}: slices", plan.slice + 1, plan.slices)


def _next(waiting: Iterable[Plan]) -> list[Cohort[Plan]]:
    """All cohorts that read little, else the one with the fewest slices.

    Of these lower ones first, so that who lags catches up.
    """
    cohorts = cohorts_of(waiting)
    little = [one for one in cohorts if one.model.slice_rows is None]
    return little or [min(cohorts, key=lambda one: (one.model.slices, one.model.slice))]


def _others(plans: Iterable[Plan], cohorts: Iterable[Cohort[Plan]]) -> list[Plan]:
    taken = {plan.plan_id for cohort in cohorts for plan in cohort.plans}
    return [plan for plan in plans if plan.plan_id not in taken]


def _going_on(sealed: Sequence[SealedPlan], delivered: Sequence[Outcome]) -> list[SealedPlan]:
    """Those that were delivered, and have another slice to be sent."""
    return [
        one
        for one, outcome in zip(sealed, delivered, strict=True)
        if outcome.error is None and not one.plan.last_slice
    ]


def _total(before: Outcome | None, now: Outcome) -> Outcome:
    if before is None:
        return now
    return replace(
        now,
        rows=before.rows + now.rows,
        files=before.files + now.files,
        bytes=before.bytes + now.bytes,
        quarantined=before.quarantined + now.quarantined,
        kinds=(*before.kinds, *now.kinds),
        overwritten=before.overwritten + now.overwritten,
    )

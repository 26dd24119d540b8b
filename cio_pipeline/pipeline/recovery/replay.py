"""Sending windows again, under new numbers: what they sent before, as it was then.

One plan per export and plan of then, and one manifest per window. Positions do not move. A plan
that a run leaves behind is finished by the next window, like any other.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeAlias

from cio_pipeline.contracts.feeds import exports_named, facts_of
from cio_pipeline.model.errors import InvalidConfig, VersionGone
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.plans import Mode, Plan, PlanDraft, PlanState
from cio_pipeline.model.registry import ExportState, Outcome, RegisteredSync
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import last_closed_window
from cio_pipeline.pipeline.committing.commit import commit, sweep_spool
from cio_pipeline.pipeline.committing.put_manifests import put_manifests
from cio_pipeline.pipeline.delivering.deliver import failed_with
from cio_pipeline.pipeline.delivering.send import send
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.planning.cohorts import range_of, with_slices
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline.pipeline.recovery.abandon import give_up
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Wanted:
    """What is sent again of a sync: windows of [start, end), some exports or all.

    Rows that have a newer version by now are left out, unless `all_rows`.
    """

    sync_id: str
    start: datetime
    end: datetime
    exports: Collection[str] = ()
    all_rows: bool = False


@dataclass(frozen=True)
class Replayed:
    """What came of one export in one window (start, end)."""

    start: datetime
    end: datetime
    outcome: Outcome


def replay(services: Services, wanted: Wanted) -> tuple[Replayed, ...]:
    """Send windows again; one outcome per export and window that had sent something.

    Raises UnknownSync, UnknownExport, InvalidConfig if nothing of the range can be sent again;
    LeaseHeld; VersionGone before anything is sent, where the source no longer has what was read.
    """
    known = services.ledger.registry.get(wanted.sync_id)
    exports = _exports(known, wanted)
    pairs = [(wanted.sync_id, export) for export in exports]
    try:
        with all_claimed(services, pairs) as held:
            plans = _sent_then(services, wanted, exports)
            _require_nobody_erased(services, plans)
            _require_readable(services, plans)
            each = [its[0] for its in by_range(plans).values()]
            return tuple(send_again(services, held, wanted, each))
    finally:
        sweep_spool(services)


Range: TypeAlias = tuple[str, str, datetime | None, datetime]
"""Sync, export, and the times that a plan's changes lie between."""


def range_of_plan(plan: Plan) -> Range:
    """What a plan's changes are of."""
    return plan.sync_id, plan.export, plan.lower.at if plan.lower else None, plan.upper.at


def by_range(plans: Iterable[Plan]) -> dict[Range, list[Plan]]:
    """Plans by their range, in their order; those of one are slices that a rebuild told apart."""
    found: dict[Range, list[Plan]] = {}
    for plan in plans:
        found.setdefault(range_of_plan(plan), []).append(plan)
    return found


def _exports(known: RegisteredSync, wanted: Wanted) -> Sequence[str]:
    sync = known.sync
    if sync.feed.facts.overwrites:
        raise InvalidConfig(
            f"Messages of sync '{sync.id}' lie under keys of their own: sent again, they would "
            "replace themselves.",
            f"Put back what is missing: `cio-pipeline export --restore --sync {sync.id}`.",
        )
    if known.disabled_at is not None:
        raise InvalidConfig(
            f"Sync '{sync.id}' is disabled.",
            f"`cio-pipeline sync enable {sync.id}` starts it anew.",
        )
    named = exports_named(sync, wanted.exports) if wanted.exports else tuple(known.switches)
    return [export for export in named if export in known.switches]


def _sent_then(services: Services, wanted: Wanted, exports: Collection[str]) -> list[Plan]:
    """The plans that sent something in the range, oldest first; raises InvalidConfig if none did.

    First files are not sent again, nor what was sent again before.
    """
    known = services.ledger.registry.get(wanted.sync_id)
    committed = services.ledger.recovery.committed([wanted.sync_id])
    within = [
        one.sealed.plan
        for one in committed
        if one.sealed.plan.export in exports
        and wanted.start < one.sealed.plan.upper.at <= wanted.end
        and one.sealed.plan.generation == known.generation
        and one.sealed.plan.state is PlanState.COMMITTED
    ]
    found = [plan for plan in within if plan.mode in {Mode.CHANGES, Mode.CATCH_UP}]
    if found:
        return sorted(found, key=lambda plan: (plan.upper.at, plan.export))
    first = any(plan.mode is Mode.INITIAL for plan in within)
    what = "only first files were sent" if first else "nothing was sent"
    step = (
        f"`cio-pipeline sync recreate {wanted.sync_id}` sends all history again."
        if first
        else "`cio-pipeline sync show` tells since when the sync is served; windows are told by "
        "their times in UTC."
    )
    raise InvalidConfig(
        f"Between {utc(wanted.start)} and {utc(wanted.end)} {what} to sync '{wanted.sync_id}'.",
        step,
    )


def _require_nobody_erased(services: Services, plans: Sequence[Plan]) -> None:
    """Raise InvalidConfig where the source still names whom an erasure took out of the files."""
    its = {plan.plan_id for plan in plans if facts_of(plan.export).forwards}
    rewritten = services.ledger.sent.rewritten(its)
    for plan in plans:
        if plan.plan_id in rewritten:
            raise InvalidConfig(
                f"A person was erased from {plan.export} of the window that ended at "
                f"{utc(plan.upper.at)}: sent again, they would be named again.",
                "Send the windows before and after it. What was left of this one lies in the "
                "bucket.",
            )


def _require_readable(services: Services, plans: Iterable[Plan]) -> None:
    """Raise VersionGone, naming the window, before the first of several is sent."""
    for plan in plans:
        try:
            services.source.changed_rows(*range_of(plan))
        except VersionGone as error:
            raise VersionGone(
                f"{plan.export} of the window that ended at {utc(plan.upper.at)} cannot be sent "
                f"again: {error.message}",
                "The bucket's own versions or backups may still have its files.",
            ) from None


def send_again(
    services: Services, held: HeldLease, wanted: Wanted, plans: Sequence[Plan]
) -> Iterator[Replayed]:
    """Send what plans of then sent, whose exports are held; a manifest for each window's end."""
    window = last_closed_window(services.clock(), Cadence.QUARTER_HOUR)
    for _, some in groupby(plans, key=lambda plan: plan.upper.at):
        of_window = list(some)
        opened = _opened(services, held, wanted, of_window)
        sent = send(services, held, opened, window)
        delivered = [plan for plan in _open(services, wanted, opened) if plan.is_delivered]
        _, failed = commit(services, held.lease, window, delivered)
        put_manifests(services, window, [wanted.sync_id])
        of = {plan.export: plan for plan in of_window}
        for outcome in sent:
            told = _told(services, held, wanted, outcome, failed.get(wanted.sync_id))
            plan = of[outcome.export]
            yield Replayed(plan.lower.at if plan.lower else plan.upper.at, plan.upper.at, told)


def _opened(
    services: Services, held: HeldLease, wanted: Wanted, plans: Sequence[Plan]
) -> Sequence[Plan]:
    states = {state.export: state for state in _states(services, wanted, plans)}
    drafts = [
        one
        for plan in plans
        for one in with_slices(
            services.source, [_draft(states[plan.export], plan, wanted)], services.slice_rows
        )
    ]
    return services.ledger.plans.open(held.lease, drafts, services.clock())


def _draft(state: ExportState, plan: Plan, wanted: Wanted) -> PlanDraft:
    again = draft(state, Mode.REPLAY, plan.upper, plan.floor)
    return replace(again, lower=plan.lower, until=None if wanted.all_rows else state.position)


def _states(services: Services, wanted: Wanted, plans: Sequence[Plan]) -> Sequence[ExportState]:
    return services.ledger.registry.states({plan.export for plan in plans}, [wanted.sync_id])


def _open(services: Services, wanted: Wanted, plans: Sequence[Plan]) -> list[Plan]:
    states = _states(services, wanted, plans)
    return [state.open_plan for state in states if state.open_plan is not None]


def _told(
    services: Services, held: HeldLease, wanted: Wanted, outcome: Outcome, failed: Failure | None
) -> Outcome:
    """What came of it; a plan that could not be read is given up, or it would be in the way.

    One that could not be delivered is finished by the next window.
    """
    if failed is not None:
        return failed_with(outcome, failed)
    if outcome.error is not None:
        for state in services.ledger.registry.states([outcome.export], [wanted.sync_id]):
            plan = state.open_plan
            if plan is not None and plan.state is PlanState.OPEN and not plan.slice:
                give_up(services, held, plan)
    return outcome

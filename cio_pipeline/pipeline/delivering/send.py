"""Sending plans: seal and deliver, slice by slice, until nothing of them is left.

Each slice is committed before the next one is encoded; what comes last waits for the window's end.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import polars as pl

from cio_pipeline.changesets.quarantine import IDENTITY, identities_of
from cio_pipeline.files.earlier_form import in_sealed_form
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.plans import Plans
from cio_pipeline.model.errors import (
    CioError,
    DigestMismatch,
    LeaseLost,
    LedgerBusy,
    LedgerError,
    PositionMoved,
)
from cio_pipeline.model.plans import Mode, Plan, PlanState, QuarantinedRow, SealedPlan
from cio_pipeline.model.registry import Lease, Outcome
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.committing.commit import commit_slices
from cio_pipeline.pipeline.delivering.deliver import ALONE, Turn, deliver, failed_with, failure_of
from cio_pipeline.pipeline.delivering.room import OF_FILES, wait_for_room
from cio_pipeline.pipeline.delivering.seal_anew import opened_anew
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of, rest_of
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

    Those that read the same rows are sent together, those that need fewer slices first. All that is
    sent in one piece is delivered together, so that a destination that does not answer is waited
    for once; what has slices goes cohort by cohort.

    One outcome per plan, over all of its slices. A plan that fails, or whose source rows cannot be
    read, stays at its slice with its error as outcome, and the others go on (O8). Raises
    LedgerError and LedgerBusy; what was delivered until then stays delivered.
    """
    outcomes: dict[int, Outcome] = {}
    waiting: list[Plan] = list(plans)
    first = {plan.plan_id: plan.slice for plan in waiting}
    while waiting:
        cohorts, failed, pairs = _delivered(services, lease, _next(waiting), turn)
        taken = {plan.plan_id for cohort in cohorts for plan in cohort.plans}
        waiting = [plan for plan in waiting if plan.plan_id not in taken]
        going_on = [one for one, now in pairs if now.error is None and not one.plan.last_slice]
        stuck = commit_slices(services, lease.lease, window, going_on) if going_on else {}
        for plan, outcome in (*failed, *((one.plan, now) for one, now in pairs)):
            before = outcomes.get(plan.plan_id)
            outcomes[plan.plan_id] = _total(before, outcome) if before else outcome
        if pairs and (model := cohorts[0].model).slices > 1:
            services.progress(f"{model.export}: slices", model.slice + 1, model.slices)
        for plan in (one.rest for one in going_on):
            outcome = outcomes[plan.plan_id]
            if plan.sync_id in stuck:
                outcomes[plan.plan_id] = failed_with(outcome, stuck[plan.sync_id])
            elif turn.goes_on(plan.slice - first[plan.plan_id]):
                waiting.append(plan)
            else:
                outcomes[plan.plan_id] = replace(outcome, slow=turn.slow)
    return tuple(outcomes.values())


def _delivered(
    services: Services, lease: HeldLease, cohorts: Sequence[Cohort[Plan]], turn: Turn
) -> tuple[Sequence[Cohort[Plan]], list[tuple[Plan, Outcome]], list[tuple[SealedPlan, Outcome]]]:
    """The first cohorts: what came of plans that could not be sealed, and of the others.

    As many as the spool has room for, and one at least. Whoever has sealed some waits for nobody:
    another writer may wait until they are delivered.
    """
    parts: list[Parts] = []
    for cohort in cohorts:
        with services.spool.one_writer(wait=not parts) as ours:
            if parts and not (ours and services.spool.roomy(OF_FILES)):
                break
            parts.append(_sealed_or_failed(services, lease, cohort))
    sealed = [one for some, _ in parts for one in some]
    failed = [(plan, failure_of(plan, error)) for _, some in parts for plan, error in some]
    delivered = deliver(services, lease, sealed, turn.patience)
    return cohorts[: len(parts)], failed, list(zip(sealed, delivered, strict=True))


def _sealed_or_failed(services: Services, lease: HeldLease, cohort: Cohort[Plan]) -> Parts:
    """The cohort's slice, sealed, and the plans that cannot be, each with its reason."""
    try:
        return seal_cohort(services, lease.lease, cohort), []
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
) -> Parts:
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


def _next(waiting: Iterable[Plan]) -> list[Cohort[Plan]]:
    """All cohorts that read little, else the one with the fewest slices.

    Of these lower ones first, so that who lags catches up.
    """
    cohorts = cohorts_of(waiting)
    little = [one for one in cohorts if one.model.slice_rows is None]
    return little or [min(cohorts, key=lambda one: (one.model.slices, one.model.slice))]


def _total(before: Outcome, now: Outcome) -> Outcome:
    return replace(
        now,
        rows=before.rows + now.rows,
        files=before.files + now.files,
        bytes=before.bytes + now.bytes,
        quarantined=before.quarantined + now.quarantined,
        kinds=(*before.kinds, *now.kinds),
        overwritten=before.overwritten + now.overwritten,
    )


def seal_cohort(services: Services, lease: Lease, cohort: Cohort[Plan]) -> list[SealedPlan]:
    """A cohort's changeset, or its slice, as files: every one is on record before the first put.

    What an earlier run made of it is not encoded again. A plan that was sealed before must come out
    with the digests sealed then: DigestMismatch.
    """
    sealed = [plan for plan in cohort.plans if plan.state is not PlanState.OPEN]
    made = _already_made(services.ledger.plans, services.spool, sealed) if sealed else []
    found = {one.plan.plan_id for one in made}
    missing = tuple(plan for plan in cohort.plans if plan.plan_id not in found)
    if missing:
        if services.spool.limit is not None:
            wait_for_room(services)
        encoded = _encoded(services, lease, replace(cohort, plans=missing))
        services.ledger.plans.seal(lease, encoded, services.clock())
        made += encoded
    return made


def _encoded(services: Services, lease: Lease, cohort: Cohort[Plan]) -> list[SealedPlan]:
    """The cohort's slice in the spool, and which of it is each plan's."""
    export, sync_ids = cohort.export.name, [plan.sync_id for plan in cohort.plans]
    held_back = services.ledger.quarantine.held(sync_ids, export)
    encoded = MAKER_OF[export].encode(
        services,
        cohort,
        rest_of(services.source, cohort.model)[0],
        _new_folder(services.spool, lease, cohort),
        retried=None,
        asked=held_back.select(*IDENTITY),
    )
    resolved = _resolved(held_back, encoded) if encoded.delivered else {}
    again = [plan for plan in cohort.plans if plan.state is PlanState.SEALED]
    parts = _by_workspace(
        _as_sealed(services.ledger.plans, services.spool, again, encoded) if again else encoded
    )
    sealed: list[SealedPlan] = []
    for plan in cohort.plans:
        its = parts.get(plan.workspace_id, Encoded((), ()))
        files = MAKER_OF[export].name(services.ledger.registry, plan, its.files)
        counts = encoded.counts.get(plan.workspace_id, ())
        known = resolved.get(plan.sync_id, ())
        one = SealedPlan(plan, files, its.rejected, known, counts)
        # What was held back when it was sent first is told by that, or was mended since.
        sealed.append(SealedPlan(plan, files) if plan.mode is Mode.REPLAY else one)
    return sealed


def _as_sealed(plans: Plans, spool: Spool, again: Collection[Plan], encoded: Encoded) -> Encoded:
    """The files, those of plans that an earlier build sealed in the form that it gave them."""
    sealed = plans.sealed(again).values()
    digests = {file.sha256 for files in sealed for file in files}
    files = (in_sealed_form(spool, file, digests) for file in encoded.files)
    return replace(encoded, files=tuple(files))


def _new_folder(spool: Spool, lease: Lease, cohort: Cohort[Plan]) -> str:
    """A folder of the spool that no other cohort, slice or run ever writes to.

    What a run that died has left of the same is discarded, unless it was sealed: the files of
    others may still wait there.
    """
    model = min(cohort.plans, key=lambda plan: plan.plan_id)
    place = f"{model.export}-{model.plan_id}-{model.slice}-"
    if model.state is PlanState.OPEN:
        for name in spool.folders():
            if name.startswith(place):
                spool.discard(name)
    return f"{place}{lease.tokens[model.sync_id, model.export]}"


def _already_made(plans: Plans, spool: Spool, sealed: Collection[Plan]) -> list[SealedPlan]:
    """Plans whose files need not be made: they lie in the spool, unaltered, or are delivered."""
    files = plans.sealed(sealed)
    found = [SealedPlan(plan, files.get(plan.plan_id, ())) for plan in sealed]
    return [
        one
        for one in found
        if one.plan.is_delivered or MAKER_OF[one.plan.export].are_whole(spool, one.files)
    ]


def _resolved(held_back: pl.DataFrame, encoded: Encoded) -> dict[str, tuple[str, ...]]:
    """The identities that were held back earlier and are delivered now, sorted, by sync."""
    delivered = identities_of(encoded.delivered)
    found = held_back.join(delivered, on=IDENTITY, how="semi").sort("identity")
    groups = found.group_by("sync_id").agg(pl.col("identity").unique(maintain_order=True))
    return {sync_id: tuple(identities) for sync_id, identities in groups.iter_rows()}


def _by_workspace(encoded: Encoded) -> Mapping[int, Encoded]:
    """The files and rejected rows of each workspace that has any."""
    files: defaultdict[int, list[SpooledFile]] = defaultdict(list)
    rejected: defaultdict[int, list[QuarantinedRow]] = defaultdict(list)
    for file in encoded.files:
        files[file.workspace_id].append(file)
    for row in encoded.rejected:
        rejected[row.workspace_id].append(row)
    return {
        workspace: Encoded(tuple(files[workspace]), tuple(rejected[workspace]))
        for workspace in files.keys() | rejected.keys()
    }

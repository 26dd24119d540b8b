"""Sealing: encode a cohort once into the spool, and give each plan its files and numbers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

import polars as pl

from cio_pipeline.changesets.quarantine import IDENTITY, identities_of
from cio_pipeline.files.earlier_form import in_sealed_form
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.model.plans import Plan, PlanState, QuarantinedRow, SealedPlan
from cio_pipeline.model.registry import Lease
from cio_pipeline.pipeline.feeds.makers import maker_of
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.planning.slices import rest_of
from cio_pipeline.pipeline.services import Services


def seal_cohort(services: Services, lease: Lease, cohort: Cohort[Plan]) -> list[SealedPlan]:
    """Encode a cohort's changeset, or its slice, and record every file before the first put.

    A plan that was sealed before must come out with the digests sealed then: DigestMismatch.
    """
    held_back = services.ledger.quarantine.held(
        [plan.sync_id for plan in cohort.plans], cohort.export.name
    )
    encoded = maker_of(cohort.export.name).encode(
        services,
        cohort,
        rest_of(services, cohort.model)[0],
        _new_folder(services, lease, cohort),
        retried=None,
        asked=held_back.select(*IDENTITY),
    )
    resolved = _resolved(held_back, encoded)
    nothing = Encoded((), ())
    parts = _by_workspace(_as_sealed(services, cohort, encoded))
    sealed = [
        _sealed(
            services,
            plan,
            parts.get(plan.workspace_id, nothing),
            resolved=resolved.get(plan.sync_id, ()),
        )
        for plan in cohort.plans
    ]
    services.ledger.plans.seal(lease, sealed, services.clock())
    return sealed


def _as_sealed(services: Services, cohort: Cohort[Plan], encoded: Encoded) -> Encoded:
    """The files, those of plans that an earlier build sealed in the form that it gave them."""
    again = [plan for plan in cohort.plans if plan.state is PlanState.SEALED]
    if not again:
        return encoded
    sealed = services.ledger.plans.sealed(again).values()
    digests = {file.sha256 for files in sealed for file in files}
    files = (in_sealed_form(services.spool, file, digests) for file in encoded.files)
    return replace(encoded, files=tuple(files))


def _new_folder(services: Services, lease: Lease, cohort: Cohort[Plan]) -> str:
    """A folder of the spool that no other cohort, slice or run ever writes to.

    What a run that died has left of the same is discarded, unless it was sealed: the files of
    others may still wait there.
    """
    model = min(cohort.plans, key=lambda plan: plan.plan_id)
    place = f"{model.export}-{model.plan_id}-{model.slice}-"
    if model.state is PlanState.OPEN:
        for name in services.spool.folders():
            if name.startswith(place):
                services.spool.discard(name)
    return f"{place}{lease.tokens[model.sync_id, model.export]}"


def already_made(services: Services, plans: Collection[Plan]) -> list[SealedPlan]:
    """Plans whose files need not be made: they lie in the spool, unaltered, or are delivered."""
    sealed = [plan for plan in plans if plan.state is not PlanState.OPEN]
    if not sealed:
        return []
    files = services.ledger.plans.sealed(sealed)
    found = [SealedPlan(plan, files.get(plan.plan_id, ())) for plan in sealed]
    return [
        one
        for one in found
        if one.plan.is_delivered or maker_of(one.plan.export).are_whole(services.spool, one.files)
    ]


def _resolved(held_back: pl.DataFrame, encoded: Encoded) -> dict[str, tuple[str, ...]]:
    """The identities that were held back earlier and are delivered now, sorted, by sync."""
    if not encoded.delivered:
        return {}
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


def _sealed(
    services: Services, plan: Plan, its: Encoded, *, resolved: tuple[str, ...]
) -> SealedPlan:
    named = maker_of(plan.export).name(services, plan, its.files)
    return SealedPlan(plan, named, its.rejected, resolved)

"""Sealing: encode a cohort once into the spool, and give each plan its files and numbers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

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
    held_back = _open_identities(services, cohort)
    encoded = maker_of(cohort.export.name).encode(
        services,
        cohort,
        rest_of(services, cohort.model)[0],
        _new_folder(services, lease, cohort),
        retried=None,
        asked=frozenset[tuple[int, str]]().union(*held_back.values()),
    )
    nobody: frozenset[tuple[int, str]] = frozenset()
    nothing = Encoded((), ())
    parts = _by_workspace(_as_sealed(services, cohort, encoded))
    sealed = [
        _sealed(
            services,
            plan,
            parts.get(plan.workspace_id, nothing),
            resolved=held_back.get(plan.sync_id, nobody) & encoded.delivered,
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


def still_spooled(services: Services, plans: Collection[Plan]) -> list[SealedPlan]:
    """Those of the sealed plans whose files all lie in the spool, unaltered."""
    sealed = [plan for plan in plans if plan.state is PlanState.SEALED]
    if not sealed:
        return []
    files = services.ledger.plans.sealed(sealed)
    found = [SealedPlan(plan, files.get(plan.plan_id, ())) for plan in sealed]
    return [one for one in found if maker_of(one.plan.export).are_whole(services.spool, one.files)]


def _open_identities(
    services: Services, cohort: Cohort[Plan]
) -> dict[str, frozenset[tuple[int, str]]]:
    """(workspace, identity) held back earlier, by sync: those that are delivered are resolved."""
    entries = services.ledger.quarantine.entries([plan.sync_id for plan in cohort.plans])
    found: dict[str, set[tuple[int, str]]] = {}
    for entry in entries:
        if entry.export == cohort.export.name:
            found.setdefault(entry.sync_id, set()).add((entry.workspace_id, entry.identity))
    return {sync_id: frozenset(identities) for sync_id, identities in found.items()}


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
    services: Services, plan: Plan, its: Encoded, *, resolved: Collection[tuple[int, str]]
) -> SealedPlan:
    named = maker_of(plan.export).name(services, plan, its.files)
    identities = tuple(sorted(identity for _, identity in resolved))
    return SealedPlan(plan, named, its.rejected, identities)

"""Sealing: encode a cohort once into the spool, and give each plan its files and numbers."""

from collections.abc import Collection

from cio_pipeline.files.encode import Encoded
from cio_pipeline.model.plans import Plan, PlanState, SealedPlan
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
        _folder(cohort),
        retried=None,
        asked=frozenset[tuple[int, str]]().union(*held_back.values()),
    )
    nobody: frozenset[tuple[int, str]] = frozenset()
    sealed = [
        _sealed(services, plan, encoded, held_back.get(plan.sync_id, nobody))
        for plan in cohort.plans
    ]
    services.ledger.plans.seal(lease, sealed, services.clock())
    return sealed


def _folder(cohort: Cohort[Plan]) -> str:
    """A folder of the spool that no other cohort or slice encodes into."""
    model = cohort.model
    first = min(plan.plan_id for plan in cohort.plans)
    # What is encoded again must not wipe the folder that the cohort's other files still lie in.
    again = any(plan.state is PlanState.SEALED for plan in cohort.plans)
    part = f"-{model.slice}" if model.slices > 1 else ""
    return f"{model.export}-{first}{part}" + ("-again" if again else "")


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


def _sealed(
    services: Services, plan: Plan, encoded: Encoded, held_back: frozenset[tuple[int, str]]
) -> SealedPlan:
    files = [file for file in encoded.files if file.workspace_id == plan.workspace_id]
    rejected = tuple(row for row in encoded.rejected if row.workspace_id == plan.workspace_id)
    resolved = tuple(sorted(identity for _, identity in held_back & encoded.delivered))
    named = maker_of(plan.export).name(services, plan, files)
    return SealedPlan(plan, named, rejected, resolved)

"""What another release sealed, and this one encodes otherwise, is sealed anew where it may be."""

from dataclasses import replace

from cio_pipeline.contracts.feeds import ALL_EXPORTS, fingerprint_of
from cio_pipeline.model.errors import ObjectArchived, ObjectMissing, PermissionMissing
from cio_pipeline.model.plans import PRODUCER, Plan, PlanState, SealedFile
from cio_pipeline.model.registry import Lease
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination


def opened_anew(services: Services, lease: Lease, plan: Plan) -> Plan | None:
    """The plan, open again as this release's; None if this release sealed it, or some was put.

    Its numbers are used again: nobody has seen a file with one of them. Raises LeaseLost and the
    destination's errors.
    """
    if plan.state is not PlanState.SEALED or plan.producer == PRODUCER:
        return None
    sync = services.ledger.registry.get(plan.sync_id).sync
    files = services.ledger.plans.sealed([plan]).get(plan.plan_id, ())
    destination = services.destinations(sync)
    if any(_may_be_put(destination, file) for file in files):
        return None
    anew = replace(
        plan,
        state=PlanState.OPEN,
        producer=PRODUCER,
        fingerprint=fingerprint_of(sync, ALL_EXPORTS[plan.export]),
    )
    services.ledger.plans.unseal(lease, plan, anew)
    services.notice(
        f"{plan.export} of sync '{plan.sync_id}' was sealed by {plan.producer}, which gave its "
        "files other bytes; none was put, so it is sealed anew."
    )
    return anew


def _may_be_put(destination: Destination, file: SealedFile) -> bool:
    try:
        return destination.sha256(file.key) == file.sha256
    except ObjectMissing:
        return False
    except (PermissionMissing, ObjectArchived):
        return True

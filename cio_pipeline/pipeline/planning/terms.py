"""The terms of a data contract that a plan was made under, ready to be used."""

from cio_pipeline.conforming.columns import InForce
from cio_pipeline.model.plans import PlanDraft
from cio_pipeline.pipeline.services import Services


def in_force(services: Services, plan: PlanDraft) -> InForce | None:
    """What holds for the rows of a plan, whatever the sync's contract says by now.

    Raises SecretMissing if its salt cannot be read.
    """
    if plan.contract is None:
        return None
    terms = services.ledger.contracts.terms(plan.contract)
    salt = services.secret(terms.salt).encode() if terms.salt else b""
    return InForce(terms.of, salt)

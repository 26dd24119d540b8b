"""Giving up an unfinished plan, so that the next run plans anew from where the export stands."""

from dataclasses import dataclass

from cio_pipeline.contracts.feeds import exports_named, facts_of
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import CioError, InvalidConfig, ObjectMissing
from cio_pipeline.model.plans import Plan, PlanState, SealedFile, Series
from cio_pipeline.model.registry import Pair
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Abandoned:
    """What came of a plan: keys removed, keys left with the reason, numbers declared void.

    Void numbers stand in the sync's next manifest.
    """

    sync_id: str
    export: str
    state: PlanState
    removed: tuple[str, ...]
    left: tuple[Pair, ...]
    void: tuple[tuple[Series, int], ...]


def abandon(services: Services, sync_id: str, export: str) -> Abandoned:
    """Close the unfinished plan of a (sync, export) without delivering it.

    Objects that it put are removed, but for messages: the next plan puts those again, in place of
    the old ones. Objects that somebody else put, or that may not be removed, stay
    and are named. Its numbers are never used again. Raises UnknownSync, UnknownExport;
    InvalidConfig if there is no such plan, or some of its slices were delivered; LeaseHeld, naming
    the run that holds it.
    """
    pair = (sync_id, export)
    exports_named(services.ledger.registry.get(sync_id).sync, [export])
    with all_claimed(services, [pair]) as held:
        abandoned = give_up(services, held, _unfinished(services.ledger.registry, pair))
        # Who abandons a plan has seen to what stopped the sync.
        close_breaker(services.ledger, sync_id)
        return abandoned


def _unfinished(registry: Registry, pair: Pair) -> Plan:
    sync_id, export = pair
    states = registry.states([export], [sync_id])
    plan = states[0].open_plan if states else None
    if plan is None:
        raise InvalidConfig(
            f"No plan of {export} of sync '{sync_id}' is unfinished.",
            f"`cio-pipeline sync show {sync_id}` lists the exports and their plans.",
        )
    if would_double(plan):
        raise InvalidConfig(
            f"{plan.slice} of {plan.slices} slices of {export} of sync '{sync_id}' were delivered; "
            "planned anew, they would be sent twice.",
            "Let it be finished, or start over with a new sync.",
        )
    return plan


def would_double(plan: Plan) -> bool:
    """Whether rows that a plan has delivered would be sent again if it were planned anew.

    Objects that may be replaced are put in place of themselves.
    """
    return plan.slice > 0 and not facts_of(plan.export).overwrites


def give_up(services: Services, held: HeldLease, plan: Plan) -> Abandoned:
    """Close an unfinished plan whose pair is held; see abandon."""
    files = services.ledger.plans.sealed([plan]).get(plan.plan_id, ())
    removed: list[str] = []
    left: list[Pair] = []
    if plan.is_delivered:
        # Whoever finds it after a crash must not list what was removed.
        services.ledger.plans.withdraw(held.lease, plan)
    for file in () if facts_of(plan.export).overwrites else files:
        held.check((plan.sync_id, plan.export))
        reason = _remove(services, plan, file)
        if reason is None:
            removed.append(file.key)
        elif reason:
            left.append((file.key, reason))
    services.ledger.plans.abandon(
        held.lease, plan, void=plan.state is not PlanState.OPEN, now=services.clock()
    )
    void = sorted({(file.series, file.sequence) for file in files})
    return Abandoned(
        plan.sync_id, plan.export, plan.state, tuple(removed), tuple(left), tuple(void)
    )


def _remove(services: Services, plan: Plan, file: SealedFile) -> str | None:
    """Remove an object if it is the sealed one: None if so, else why not, empty if none is there.

    The order matters: a crash in between leaves a sealed plan, which can be abandoned again.
    """
    try:
        destination = services.destinations(services.ledger.registry.get(plan.sync_id).sync)
        if destination.sha256(file.key) != file.sha256:
            return "It is not what the plan would have put."
        destination.delete(file.key)
    except ObjectMissing:
        return ""
    except CioError as error:
        return str(error)
    return None

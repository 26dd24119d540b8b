"""Giving up an unfinished plan, so that the next run plans anew from where the export stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from cio_pipeline.contracts.feeds import exports_named, facts_of
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import CioError, InvalidConfig, ObjectMissing
from cio_pipeline.model.manifests import VoidSequence
from cio_pipeline.model.plans import Plan, PlanState, SealedFile, Series
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.recovery.bucket_chain import FAR
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
    put_before, lost = _put_by_lost_ledger(services, plan)
    services.ledger.plans.abandon(
        held.lease, plan, void=plan.state is not PlanState.OPEN, now=services.clock()
    )
    # Last: a plan that goes on after a crash puts its files under its own numbers.
    if lost:
        services.ledger.recovery.lose(held.lease, plan.sync_id, lost)
    void = sorted({(one.series, one.sequence) for one in (*files, *lost)})
    return Abandoned(
        plan.sync_id, plan.export, plan.state, tuple(removed), (*left, *put_before), tuple(void)
    )


def _put_by_lost_ledger(services: Services, plan: Plan) -> tuple[list[Pair], list[VoidSequence]]:
    """Files of the slice under way that a ledger which is lost had sealed: keys, numbers used.

    Only a plan that a bucket told of can have any. What they hold is not known: they stay.
    """
    ledger = services.ledger
    if plan.state is not PlanState.OPEN or not would_double(plan):
        return [], []
    try:
        sync = ledger.registry.get(plan.sync_id).sync
        there = {one.key for one in services.destinations(sync).list()}
    except CioError as error:
        return [(f"What {plan.export} may have put before the ledger was lost", str(error))], []
    (state,) = ledger.registry.states([plan.export], [plan.sync_id])
    first, keys = state.next_sequence, list[Pair]()
    tops: dict[Series, int] = {}
    for key in sorted(there - {one.key for one in ledger.manifests.objects(plan.sync_id)}):
        for series, number in _numbers(sync, plan.export, key):
            keys.append((key, _UNKNOWN))
            if number < first[series] + FAR:
                tops[series] = max(tops.get(series, 0), number)
    lost = ((of, n) for of, top in sorted(tops.items()) for n in range(first[of], top + 1))
    return keys, [VoidSequence(plan.export, of, number) for of, number in lost]


_UNKNOWN = (
    "It was put before the ledger was lost, and no manifest lists it. Remove it: readers that list "
    "the bucket load its rows twice."
)


def _numbers(sync: Sync, export: str, key: str) -> Iterator[tuple[Series, int]]:
    """The number of a key that is named like a file of an export."""
    for (of, series), numbers in MAKER_OF[export].numbers(sync, [key]).items():
        if of == export:
            yield from ((series, number) for number in numbers)


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

"""Working on a sync as a whole: nobody else works on any of its exports meanwhile."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig, LeaseHeld, LeaseLost
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.manifests import CHAIN
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import WHOLE, RegisteredSync, changed_meanwhile
from cio_pipeline.model.windows import Window, last_closed_window
from cio_pipeline.pipeline.committing.commit import commit
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.recovery.abandon import Abandoned, give_up, would_double
from cio_pipeline.pipeline.recovery.restore import RESTORE
from cio_pipeline.pipeline.services import Services

TRIES, PAUSE_SECONDS = 20, 0.05
"""How long is waited for whoever changes a sync: that takes a moment, unless it removes files."""


@contextmanager
def changing(services: Services, sync_id: str) -> Generator[None]:
    """Let nobody else change what a sync is, from before it is read until it is stored.

    Raises LeaseHeld, naming who does so for longer than a moment.
    """
    with ExitStack() as held:
        for tries_left in reversed(range(TRIES)):
            try:
                held.enter_context(all_claimed(services, [(sync_id, WHOLE)]))
                break
            except LeaseHeld:
                if not tries_left:
                    raise
                time.sleep(PAUSE_SECONDS)
        yield


@contextmanager
def holding(services: Services, known: RegisteredSync) -> Generator[HeldLease]:
    """Hold all exports of a sync, its chain, restoring it, and what it is.

    Raises LeaseHeld, naming the run that has one; LeaseLost if the sync is not what is `known` any
    more, so that nothing is removed or given up on account of what it was.
    """
    sync_id = known.sync.id
    pairs = [(sync_id, export) for export in (*known.switches, CHAIN, RESTORE, WHOLE)]
    with all_claimed(services, pairs) as held:
        if services.ledger.registry.get(sync_id) != known:
            raise changed_meanwhile(sync_id)
        yield held


def open_plans(registry: Registry, known: RegisteredSync) -> list[Plan]:
    """The unfinished plans of a sync."""
    states = registry.states(list(known.switches), [known.sync.id])
    return [state.open_plan for state in states if state.open_plan is not None]


def give_up_plans(services: Services, held: HeldLease, known: RegisteredSync) -> list[Abandoned]:
    """Close all unfinished plans, also those that delivered some of their slices.

    For those who send all history again: elsewhere those slices would be sent twice. What was
    delivered is committed first.
    """
    commit_rest(services, held, known)
    return [give_up(services, held, plan) for plan in open_plans(services.ledger.registry, known)]


def require_no_slices(plans: list[Plan]) -> None:
    """Raise InvalidConfig for a plan that delivered some of its slices, which are not put again."""
    for plan in plans:
        if would_double(plan):
            raise InvalidConfig(
                f"{plan.slice} of {plan.slices} slices of {plan.export} of sync '{plan.sync_id}' "
                "were delivered; planned anew, they would be sent twice.",
                f"Wait until it is finished, or start over: `cio-pipeline sync recreate "
                f"{plan.sync_id}`.",
            )


def commit_rest(services: Services, held: HeldLease, known: RegisteredSync) -> None:
    """Commit what was delivered, and list what became void; put only if the chain goes on.

    Raises LeaseLost if it cannot be.
    """
    delivered = [plan for plan in open_plans(services.ledger.registry, known) if plan.is_delivered]
    window = window_of(services.clock())
    _, failed = commit(services, held.lease, window, delivered, listing=[known.sync.id])
    for failure in failed.values():
        raise LeaseLost(f"What was delivered could not be committed: {failure.text}", "Try again.")


def told_of_given_up(given_up: list[Abandoned]) -> Iterator[str]:
    """Notes on plans that were given up."""
    for one in given_up:
        void = f"; its {len(one.void)} numbers are void" if one.void else ""
        yield f"The unfinished plan of {one.export} was given up{void}."
        for key, why in one.left:
            yield f"{key} was left in the bucket: {why}"


def window_of(at: datetime) -> Window:
    """The window that a manifest written at a time belongs to."""
    return last_closed_window(at, Cadence.QUARTER_HOUR)

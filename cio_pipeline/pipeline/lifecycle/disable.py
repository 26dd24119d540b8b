"""Disabling a sync as a whole, and enabling it again as a new generation (D6)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from cio_pipeline.ledger.manifests import Manifests
from cio_pipeline.model.history import Deed
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.committing.commit import continue_chains
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.lifecycle.begin_anew import begun_anew
from cio_pipeline.pipeline.lifecycle.holding import (
    commit_rest,
    give_up_plans,
    holding,
    told_of_given_up,
    window_of,
)
from cio_pipeline.pipeline.lifecycle.objects import Remains, remains
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.services import Services


def disable(services: Services, order: Order) -> Report:
    """Quit sending files altogether; what is unfinished is given up.

    Repeatable after a crash. Raises UnknownSync, and LeaseLost if a run works on the sync.
    """
    known = services.ledger.registry.get(order.sync_id)
    with holding(services, known) as held:
        # First, so that no run plans again what is given up.
        changed = () if known.disabled_at else ("disabled",)
        if changed:
            to = replace(known, disabled_at=order.at)
            deed = Deed(order.who, "disable")
            services.ledger.registry.change(held.lease, known, to, deed, at=order.at)
        given_up = give_up_plans(services, held, known)
        now = services.ledger.registry.get(order.sync_id)
        written = continue_chains(services, held, window_of(services.clock()), [now])
    notes = [*told_of_given_up(given_up), *(one.told for one in written if one.error)]
    notes.append(
        f"Once it is enabled again, {starting(known)} To stop for a while only, pause exports."
    )
    return Report(order.sync_id, "disable", changed, tuple(notes))


def enable(services: Services, order: Order) -> Report:
    """Start a disabled sync anew: all history of every export that is on; numbers go on counting.

    Feeds that forward what comes in have no history: they go on from the window they are enabled
    in. Files of an earlier generation that still lie in the bucket are warned of. Raises
    UnknownSync, and LeaseLost if a run works on the sync.
    """
    known = services.ledger.registry.get(order.sync_id)
    if known.disabled_at is None:
        return Report(order.sync_id, "enable", (), ("It is enabled already.",))
    with holding(services, known) as held:
        purged = _is_purged(services.ledger.manifests, known)
        found, notes = _looked_at(services, known)
        given_up = give_up_plans(services, held, known)
        commit_rest(services, held, known)
        to, manifest = anew(known, order.at), None
        if purged or (found is not None and not found.files):
            to, manifest = begun_anew(services.ledger, known, to, order.at)
        deed = Deed(order.who, "enable")
        services.ledger.registry.change(held.lease, known, to, deed, at=order.at, manifest=manifest)
        close_breaker(services.ledger, order.sync_id)
        written = continue_chains(services, held, window_of(services.clock()), [to])
    notes += [*told_of_given_up(given_up), *(one.told for one in written if one.error)]
    paused = [name for name, switch in to.switches.items() if not switch.enabled]
    if known.sync.feed.facts.forwards:
        notes.append(f"From now on, {starting(known)}")
    if paused:
        notes.append(f"Still off, since they were paused: {', '.join(paused)}.")
    return Report(order.sync_id, "enable", (f"generation {to.generation}",), tuple(notes))


def starting(known: RegisteredSync) -> str:
    """What a new generation of a sync begins with."""
    if not known.sync.feed.facts.forwards:
        return "all history of every export is sent again."
    return f"{known.sync.feed} go on from that window; what came before is not sent."


def anew(known: RegisteredSync, at: datetime) -> RegisteredSync:
    """A sync at the beginning of its next generation; what is paused stays so."""
    return replace(
        known,
        generation=known.generation + 1,
        created_at=at,
        disabled_at=None,
        switches={
            name: ExportSwitch(enabled=True) if switch.enabled else switch
            for name, switch in known.switches.items()
        },
    )


def _is_purged(manifests: Manifests, known: RegisteredSync) -> bool:
    """Whether nothing of the chain is where the sync's files go: it has to begin anew there."""
    last = manifests.last(known.sync.id)
    return last is not None and known.first_manifest > last[0]


def _looked_at(services: Services, known: RegisteredSync) -> tuple[Remains | None, list[str]]:
    """What lies in the bucket of earlier generations, None if that cannot be told; and notes."""
    found: list[Remains] = []
    failure = caught(lambda: found.append(remains(services, known)))
    if failure is not None:
        return None, [f"The bucket could not be looked at for old files: {failure.text}"]
    return found[0], list(_warned(known, found[0]))


def _warned(known: RegisteredSync, found: Remains) -> Iterator[str]:
    if found.files:
        yield (
            f"{len(found.files):,} files of earlier generations are still in the bucket, like "
            f"{found.files[0]}: readers that list it load them, too. Disable the sync again and "
            f"run `cio-pipeline sync purge {known.sync.id}`, then enable it; or empty your tables "
            "and load new files only."
        )

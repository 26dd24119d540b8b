"""Changing where a sync's files go, and what they are put with: its keys, its options (D7, D8)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import ObjectMissing, PermissionMissing
from cio_pipeline.model.history import Deed
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.committing.commit import continue_chains
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.lifecycle.begin_anew import begun_anew
from cio_pipeline.pipeline.lifecycle.holding import (
    changing,
    commit_rest,
    holding,
    open_plans,
    require_no_slices,
    told_of_given_up,
    window_of,
)
from cio_pipeline.pipeline.recovery.abandon import give_up
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.syncs.sync_file import Location
from cio_pipeline.ports import Destinations

Switches = Mapping[str, ExportSwitch]


def redirect(
    services: Services,
    known: RegisteredSync,
    sync: Sync,
    switches: Switches,
    *,
    located: Callable[[Sync], Location],
    at: datetime,
    deed: Deed,
) -> tuple[str, ...]:
    """Give a sync another destination, or other keys for it; returns notes.

    Raises PermissionMissing if files could not be put there, LeaseLost if a run works on a sync
    that moves, InvalidConfig if one of its initial exports is under way, the destination's errors.
    """
    require_fit(services.destinations, sync)
    to = replace(known, sync=sync, switches=switches)
    if located(known.sync) == located(sync):
        with changing(services, sync.id):
            _put(services.ledger, known, to, at=at, deed=deed)
        return ()
    with holding(services, known) as held:
        if _chain_is_there(services, known, sync):
            _put(services.ledger, known, to, at=at, deed=deed)
            return ()
        return _move(services, held, known, to, at=at, deed=deed)


def _put(
    ledger: Ledger, known: RegisteredSync, to: RegisteredSync, *, at: datetime, deed: Deed
) -> None:
    ledger.registry.put(to.sync, to.switches, at, deed, known=known)
    close_breaker(ledger, to.sync.id)


def require_fit(destinations: Destinations, sync: Sync) -> None:
    """Try a destination's permissions; PermissionMissing names those that a run lacks."""
    tried = destinations(sync).permissions()
    lacking = [
        one for one in tried if one.granted is False and one.needed_by in sync.feed.facts.needs
    ]
    if lacking:
        names = ", ".join(one.name for one in lacking)
        raise PermissionMissing(
            f"Sync '{sync.id}' cannot go there, nothing was changed. It lacks: {names}. "
            f"{lacking[0].detail}".strip(),
            lacking[0].next_step,
        )


def _chain_is_there(services: Services, known: RegisteredSync, sync: Sync) -> bool:
    """Whether all was copied to the new place, or it is the old one.

    That is the last manifest, and what was delivered since: the next one lists it there.
    """
    if not sync.manifest:
        return False
    last = services.ledger.manifests.last(known.sync.id)
    delivered = [plan for plan in open_plans(services.ledger.registry, known) if plan.is_delivered]
    since = services.ledger.plans.sealed(delivered)
    told = {file.key: file.sha256 for files in since.values() for file in files}
    if last is not None:
        told[manifest_key(last[0])] = last[1]
    destination = services.destinations(sync)
    try:
        return bool(told) and all(destination.sha256(key) == digest for key, digest in told.items())
    except ObjectMissing:
        return False


def _move(
    services: Services,
    held: HeldLease,
    known: RegisteredSync,
    to: RegisteredSync,
    *,
    at: datetime,
    deed: Deed,
) -> tuple[str, ...]:
    commit_rest(services, held, known)
    plans = open_plans(services.ledger.registry, known)
    require_no_slices(plans)
    given_up = [give_up(services, held, plan) for plan in plans]
    window = window_of(services.clock())
    # The old place gets what was delivered to it, if it still answers.
    ended = continue_chains(services, held, window, [known])
    commit_rest(services, held, known)
    to, manifest = begun_anew(services.ledger, known, to, at)
    services.ledger.registry.change(held.lease, known, to, deed, at=at, manifest=manifest)
    close_breaker(services.ledger, to.sync.id)
    begun = continue_chains(services, held, window, [to])
    notes = [*told_of_given_up(given_up), *(one.told for one in (*ended, *begun) if one.error)]
    if manifest is not None:
        notes.append(
            f"Positions and numbers go on. Files sent so far stay where they are, listed up to "
            f"manifest {to.first_manifest - 1}; in the new place the chain begins with manifest "
            f"{to.first_manifest}. Readers load both places."
        )
    return tuple(notes)

"""Removing a sync's files from its bucket, and starting it over with none (D7)."""

from dataclasses import replace

from cio_pipeline.contracts.feeds import exports_of_sync
from cio_pipeline.files.names import key_problem, shown
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.history import Deed
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.committing.commit import continue_chains
from cio_pipeline.pipeline.lifecycle.begin_anew import begun_anew
from cio_pipeline.pipeline.lifecycle.disable import anew, starting
from cio_pipeline.pipeline.lifecycle.holding import (
    commit_rest,
    give_up_plans,
    holding,
    told_of_given_up,
    window_of,
)
from cio_pipeline.pipeline.lifecycle.objects import Remains, remains, remove
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.services import Services


def purge(services: Services, order: Order) -> Report:
    """Remove from a disabled sync's bucket what the ledger knows: files, manifests, cio-validate.

    Unless the order is `sure`, it only tells what it would remove. Repeatable after a crash. Raises
    UnknownSync, InvalidConfig if the sync is enabled, LeaseLost, and the destination's errors.
    """
    known = services.ledger.registry.get(order.sync_id)
    if known.disabled_at is None:
        raise InvalidConfig(
            f"Sync '{order.sync_id}' is enabled: readers still need its files.",
            "Disable it first, or start it over with "
            f"`cio-pipeline sync recreate {order.sync_id}`.",
        )
    if not order.sure:
        return _would(order, "purge", remains(services, known))
    with holding(services, known) as held:
        found = remains(services, known)
        remove(services.destinations, held, known, found)
        given_up = give_up_plans(services, held, known)
        commit_rest(services, held, known)
        last = services.ledger.manifests.last(order.sync_id)
        # What was listed so far is not here any more: nothing of it is put back or put late.
        to = replace(known, first_manifest=last[0] + 1 if last else 1)
        deed = Deed(order.who, f"purge {len(found.keys)} objects")
        services.ledger.registry.change(held.lease, known, to, deed, at=order.at)
    return _removed(order, "purge", found, (*told_of_given_up(given_up), *_left(found)))


def recreate(services: Services, order: Order) -> Report:
    """Purge a sync and start it anew with the exports of its sync file, all of their history.

    Unless the order is `sure`, it only tells what it would remove. If something cannot be removed
    the sync stays as it is. Repeatable after a crash. Raises as purge does.
    """
    known = services.ledger.registry.get(order.sync_id)
    if not order.sure:
        return _would(order, "recreate", remains(services, known))
    with holding(services, known) as held:
        # Not before: a run could deliver in between what would then be left.
        found = remains(services, known)
        remove(services.destinations, held, known, found)
        given_up = give_up_plans(services, held, known)
        commit_rest(services, held, known)
        to, manifest = begun_anew(services.ledger, known, _as_in_the_file(known, order), order.at)
        deed = Deed(order.who, "recreate")
        services.ledger.registry.change(held.lease, known, to, deed, at=order.at, manifest=manifest)
        close_breaker(services.ledger, order.sync_id)
        written = continue_chains(services, held, window_of(services.clock()), [to])
    notes = [*told_of_given_up(given_up), *_left(found), *(w.told for w in written if w.error)]
    notes.append(f"Empty the tables that were loaded from it: {starting(known)}")
    report = _removed(order, "recreate", found, tuple(notes))
    return replace(report, changed=(*report.changed, f"generation {to.generation}"))


def _as_in_the_file(known: RegisteredSync, order: Order) -> RegisteredSync:
    wanted = exports_of_sync(known.sync)
    off = {
        name: switch if not switch.enabled else ExportSwitch(enabled=False, paused_at=order.at)
        for name, switch in known.switches.items()
        if name not in wanted
    }
    on = {name: ExportSwitch(enabled=True) for name in wanted}
    return replace(anew(known, order.at), switches={**on, **off})


def _would(order: Order, verb: str, found: Remains) -> Report:
    confirm = "--yes on the command line, sure in the launchpad"
    notes = (f"Nothing was changed; confirm to {verb} the sync: {confirm}.", *_left(found))
    return Report(order.sync_id, verb, (), notes, found.keys, done=False)


def _removed(order: Order, verb: str, found: Remains, notes: tuple[str, ...]) -> Report:
    changed = (f"{len(found.files)} files and {len(found.manifests)} manifests removed",)
    return Report(order.sync_id, verb, changed, notes, found.keys)


def _left(found: Remains) -> tuple[str, ...]:
    others = (f"{key} is left: something else lies under that key." for key in found.left)
    odd = (
        f"{shown(key)} is left: the key {key_problem(key)}, no sync put it." for key in found.odd
    )
    return (*others, *odd)

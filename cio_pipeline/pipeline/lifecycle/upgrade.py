"""Upgrading a sync to a newer version of the contract (D7; seed 001, "Update schema version")."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from cio_pipeline.changesets.decide import floor_at
from cio_pipeline.contracts.catalog import EXPORTS, exports_of
from cio_pipeline.contracts.feeds import ALL_EXPORTS, exports_named, exports_of_sync
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.history import Deed
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.lifecycle.holding import (
    commit_rest,
    holding,
    open_plans,
    require_no_slices,
    told_of_given_up,
)
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.lifecycle.switches import resumable, switched, turned
from cio_pipeline.pipeline.planning.cohorts import with_slices
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline.pipeline.recovery.abandon import Abandoned, give_up
from cio_pipeline.pipeline.services import Services

NEWEST = 5

FROM_V1 = (
    "Coming from Customer.io's v1: let your loader accept names of the form "
    "<name>_v<x>_<workspace_id>_<sequence>.parquet, and delete all rows of your Subjects and "
    "Outputs tables first: their data is sent from the beginning of your history, in another form."
)


def upgrade(services: Services, order: Order) -> Report:
    """Send v5 from the next window on: shared exports go on, new ones start with their history.

    The order's exports are sent again from the start, also of a sync that has v5 already. An
    unfinished plan is finished as it was made, unless its export is sent again. Raises UnknownSync,
    UnknownExport, InvalidConfig for a sync that has the newest version or cannot send an export
    again just now, LeaseLost.
    """
    known = services.ledger.registry.get(order.sync_id)
    _require_work(known.sync, order)
    sync = known.sync.model_copy(update={"version": NEWEST})
    again = resent(known.sync, order.exports)
    _require_on(known, again)
    new = set(exports_of_sync(sync)) - set(exports_of_sync(known.sync))
    on = {name for name, switch in known.switches.items() if switch.enabled}
    switches = switched(known.switches, on | new, order.at)
    notes = [*resumable(services.ledger.registry, known, switches, order.at)]
    to = replace(known, sync=sync, switches=switches)
    deed = Deed(order.who, " ".join(["upgrade", *(f"--resend {name}" for name in sorted(again))]))
    with holding(services, known) as held:
        commit_rest(services, held, known)
        notes += told_of_given_up(_given_up(services, held, known, again))
        plans = [plan for name in sorted(again) for plan in _history(services, name, to)]
        services.ledger.registry.change(
            held.lease, known, to, deed, at=order.at, again=again, plans=plans
        )
    changed = (*_newer(known.sync), *turned(known.switches, switches))
    changed += tuple(f"{name} is sent again" for name in sorted(again))
    if known.sync.version < NEWEST:
        notes += told_of_upgrade(known.sync, sync, again)
        notes.append(f"Write `version: {NEWEST}` into the sync file, too.")
    return Report(order.sync_id, "upgrade", changed, tuple(notes))


def _require_work(sync: Sync, order: Order) -> None:
    if "version" not in sync.feed.facts.options:
        raise InvalidConfig(f"Sync '{sync.id}' is of {sync.feed}, which has no versions.")
    if sync.version >= NEWEST and not order.exports:
        raise InvalidConfig(
            f"Sync '{sync.id}' has the newest version, v{NEWEST}, already.",
            "`--resend NAME` sends an export again from the start.",
        )


def _require_on(known: RegisteredSync, again: frozenset[str]) -> None:
    """What changed while an export is off is still to be sent: history would leave out who went."""
    on = {name for name, switch in known.switches.items() if switch.enabled}
    off = sorted(again - on)
    if off:
        raise InvalidConfig(
            f"{off[0]} is off, so it cannot be sent again now.",
            f"Turn it on first: `cio-pipeline sync resume {known.sync.id} --export {off[0]}`.",
        )


def _given_up(
    services: Services, held: HeldLease, known: RegisteredSync, again: Collection[str]
) -> list[Abandoned]:
    plans = [plan for plan in open_plans(services.ledger.registry, known) if plan.export in again]
    require_no_slices(plans)
    return [give_up(services, held, plan) for plan in plans]


def _history(services: Services, export: str, to: RegisteredSync) -> Sequence[PlanDraft]:
    """A plan for all history of an export as of where it stands: its changes go on from there.

    As of a later cut it would lack who was deleted in between, and no file would tell of them (D6).
    The position stays: whoever gives the plan up loses nothing but what it was to send again. None
    for what never was sent, or not sent now. Raises the source's errors.
    """
    (state,) = services.ledger.registry.states([export], [to.sync.id])
    position = state.position
    if to.disabled_at is not None or position is None:
        return ()
    if ALL_EXPORTS[export].source not in position.tables:
        return ()
    anew = replace(state, registered=to)
    one = draft(anew, Mode.INITIAL, position, floor_at(export, position.at))
    return with_slices(services.source, [one], services.slice_rows)


def _newer(sync: Sync) -> Iterator[str]:
    if sync.version < NEWEST:
        yield f"version {sync.version} to {NEWEST}"


def resent(sync: Sync, names: Collection[str]) -> frozenset[str]:
    """The exports to send again, with those that come together; UnknownExport for a wrong name."""
    return frozenset(exports_named(sync, names))


def require_no_downgrade(old: Sync, new: Sync) -> None:
    """Raise InvalidConfig for a lower version."""
    if new.version < old.version:
        raise InvalidConfig(
            f"Sync '{old.id}' sends v{old.version} and cannot go back to v{new.version}: its files "
            "would lack columns and exports that were sent.",
            f"Write `version: {old.version}` into the sync file, or register a new sync under "
            "another id.",
        )


def told_of_upgrade(old: Sync, new: Sync, again: Collection[str] = ()) -> Iterator[str]:
    """What an upgrade means for what was sent before, and how to send it again."""
    shared = [one.name for one in exports_of(old.version) if one.name in exports_of_sync(old)]
    for name in shared:
        if name not in again:
            yield from _left_as_it_was(name, old, new)
    added = [name for name in exports_of_sync(new) if name not in shared]
    if added:
        yield f"New, starting with their history: {', '.join(added)}."
    yield (
        f"File names carry v{new.version} from now on, and their numbers go on counting: let your "
        "loader accept them."
    )


def _left_as_it_was(name: str, old: Sync, new: Sync) -> Iterator[str]:
    before = {column.name for column in EXPORTS[name].columns_of(old.version)}
    columns = [
        column.name for column in EXPORTS[name].columns_of(new.version) if column.name not in before
    ]
    again = f"`cio-pipeline sync upgrade {new.id} --resend {name}` sends them again."
    if columns:
        yield f"Rows of {name} sent before lack {', '.join(columns)}; {again}"
    if name == "people":
        yield (
            "Rows of people sent before have v4's created_at, the time of the last change of the "
            f"id; {again}"
        )

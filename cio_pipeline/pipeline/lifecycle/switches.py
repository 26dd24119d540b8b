"""Pausing and resuming single exports of a sync."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from cio_pipeline.changesets.decide import HISTORY_LIMIT, gap_if_resumed, refused_to_resume
from cio_pipeline.contracts.feeds import ALL_EXPORTS, exports_named
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.history import Deed
from cio_pipeline.model.registry import ExportState, ExportSwitch, RegisteredSync
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.lifecycle.holding import changing
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.services import Services


def pause(services: Services, order: Order) -> Report:
    """Turn exports off, all of them if none is named; resuming sends what changed meanwhile.

    Raises UnknownSync, UnknownExport; LeaseHeld, naming who changes the sync for longer.
    """
    return _switch(services, order, on=False)


def resume(services: Services, order: Order) -> Report:
    """Turn exports on, all that were ever on if none is named; a breaker is closed.

    Without names, a sync with a breaker goes on with the exports that are on, if there are any.
    Raises as `pause` does, and InvalidConfig for people off for more than seven days: the breaker
    stays as it is then.
    """
    known = services.ledger.registry.get(order.sync_id)
    switches = known.switches
    if order.sync_id not in services.ledger.breakers.all():
        return _switch(services, order, on=True)
    if not order.exports and any(switch.enabled for switch in switches.values()):
        notes = (*_still_off(order.sync_id, switches), *_if_disabled(known))
        report = Report(order.sync_id, "resume", (), notes)
    else:
        report = _switch(services, order, on=True)
    close_breaker(services.ledger, order.sync_id)
    then = () if known.disabled_at else ("The next window sends what is outstanding.",)
    return replace(
        report, changed=("breaker closed", *report.changed), notes=(*then, *report.notes)
    )


def _if_disabled(known: RegisteredSync) -> Iterator[str]:
    if known.disabled_at is not None:
        enable = f"cio-pipeline sync enable {known.sync.id}"
        yield f"The sync is disabled: nothing is sent until `{enable}`."


def _still_off(sync_id: str, switches: Mapping[str, ExportSwitch]) -> Iterator[str]:
    for name, switch in switches.items():
        if not switch.enabled:
            command = f"cio-pipeline sync resume {sync_id} --export {name}"
            yield f"{name} stays off; `{command}` turns it on."


def _switch(services: Services, order: Order, *, on: bool) -> Report:
    registry = services.ledger.registry
    registry.get(order.sync_id)
    with changing(services, order.sync_id):
        return switch_exports(
            registry, order.sync_id, order.exports, order.at, on=on, who=order.who
        )


def switch_exports(
    registry: Registry,
    sync_id: str,
    names: Collection[str],
    now: datetime,
    *,
    on: bool,
    who: str = "somebody",
) -> Report:
    """Turn exports of a sync on or off, with those that come with them; see pause and resume."""
    known = registry.get(sync_id)
    chosen = set(exports_named(known.sync, names) if names else known.switches)
    enabled = {name for name, switch in known.switches.items() if switch.enabled}
    switches = switched(known.switches, enabled | chosen if on else enabled - chosen, now)
    notes = tuple(resumable(registry, known, switches, now)) if on else ()
    changed = turned(known.switches, switches)
    verb = "resume" if on else "pause"
    if changed:
        registry.put(known.sync, switches, now, Deed(who, verb), known=known)
    return Report(sync_id, verb, changed, (*notes, *_if_disabled(known)))


def switched(
    switches: Mapping[str, ExportSwitch], wanted: Collection[str], now: datetime
) -> dict[str, ExportSwitch]:
    """The switches after exactly the wanted exports are on."""
    names = [name for name in ALL_EXPORTS if name in switches or name in wanted]
    return {
        name: _turned_on(switches.get(name), now)
        if name in wanted
        else _turned_off(switches[name], now)
        for name in names
    }


def _turned_on(old: ExportSwitch | None, now: datetime) -> ExportSwitch:
    if old is None:
        return ExportSwitch(enabled=True)
    return old if old.enabled else replace(old, enabled=True, resumed_at=now)


def _turned_off(old: ExportSwitch, now: datetime) -> ExportSwitch:
    return replace(old, enabled=False, paused_at=now) if old.enabled else old


def turned(old: Mapping[str, ExportSwitch], new: Mapping[str, ExportSwitch]) -> tuple[str, ...]:
    """Which exports were turned, like `people off`."""
    off = ExportSwitch(enabled=False)
    return tuple(
        f"{name} {'on' if switch.enabled else 'off'}"
        for name, switch in new.items()
        if old.get(name, off).enabled != switch.enabled
    )


def resumable(
    registry: Registry,
    known: RegisteredSync,
    switches: Mapping[str, ExportSwitch],
    now: datetime,
) -> Iterator[str]:
    """Notes on gaps that turning these switches on leaves (D7).

    Raises InvalidConfig if people was off for too long. A disabled sync sends all history anyway.
    """
    if known.disabled_at is not None:
        return
    off = [n for n, switch in known.switches.items() if not switch.enabled and switches[n].enabled]
    for state in registry.states(off, [known.sync.id]) if off else ():
        refused = refused_to_resume(state, now)
        if refused is not None:
            raise InvalidConfig(
                f"Sync '{known.sync.id}': {refused.message}",
                f"{refused.next_step} Other exports can be resumed by their names.",
            )
        yield from _gap(state, now)


def _gap(state: ExportState, now: datetime) -> Iterator[str]:
    gap = gap_if_resumed(state, now)
    if gap is not None:
        yield (
            f"{state.export} was off for more than {HISTORY_LIMIT.days} days and goes on with the "
            f"last {HISTORY_LIMIT.days}: what was processed from {utc(gap[0])} to "
            f"{utc(gap[1])} is never sent."
        )

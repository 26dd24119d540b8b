"""Making the registry match a sync file, and switching single exports off and on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cio_pipeline.contracts.catalog import EXPORTS, export, exports_of
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.ports import Registry
from cio_pipeline.pipeline.sync_file import Location, check_together, exports_of_sync

FIXED = ("workspace_id", "feed", "version", "timestamp_unit", "stems", "layout", "destination")
"""What a sync keeps for its life: changing it would break what was sent already."""


@dataclass(frozen=True)
class Applied:
    """What applying did to one sync: `created`, `changed` or `unchanged`, and what changed."""

    sync_id: str
    action: str
    changes: tuple[str, ...] = ()


def apply_syncs(
    registry: Registry,
    syncs: Sequence[Sync],
    located: Callable[[Sync], Location],
    now: datetime,
) -> list[Applied]:
    """Register new syncs (created `now`) and change known ones; all or nothing is checked first.

    Syncs that the file does not name stay as they are. Raises InvalidConfig.
    """
    known = {one.sync.id: one for one in registry.all()}
    named = {sync.id for sync in syncs}
    others = [one.sync for sync_id, one in known.items() if sync_id not in named]
    check_together([*syncs, *others], located)
    for sync in syncs:
        if sync.id in known:
            _check_change(known[sync.id].sync, sync)
    return [_apply(registry, known.get(sync.id), sync, now) for sync in syncs]


def _check_change(old: Sync, new: Sync) -> None:
    changed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    if changed:
        raise InvalidConfig(
            f"Sync '{old.id}' cannot change its {', '.join(changed)}: files were or will be sent "
            "with it.",
            "Register a new sync under another id.",
        )


def _apply(registry: Registry, known: RegisteredSync | None, sync: Sync, now: datetime) -> Applied:
    wanted = exports_of_sync(sync)
    if known is None:
        registry.put(sync, {name: ExportSwitch(enabled=True) for name in wanted}, now)
        return Applied(sync.id, "created")
    switches = switched(known.switches, wanted, now)
    changes = [
        name
        for name in type(sync).model_fields
        if name != "exports" and getattr(known.sync, name) != getattr(sync, name)
    ]
    changes += [
        f"{name} {'on' if switch.enabled else 'off'}"
        for name, switch in switches.items()
        if known.switches.get(name, ExportSwitch(enabled=False)).enabled != switch.enabled
    ]
    if changes or known.sync != sync:
        registry.put(sync, switches, now)
    return Applied(sync.id, "changed" if changes else "unchanged", tuple(changes))


def switched(
    switches: Mapping[str, ExportSwitch], wanted: Collection[str], now: datetime
) -> dict[str, ExportSwitch]:
    """The switches after exactly the wanted exports are on."""
    names = [name for name in EXPORTS if name in switches or name in wanted]
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


def switch_exports(
    registry: Registry, sync_id: str, names: Collection[str], now: datetime, *, on: bool
) -> list[str]:
    """Turn exports of a sync on or off, all of them if none is named; returns those that changed.

    Exports that come together are switched together. Raises UnknownSync, UnknownExport.
    """
    known = registry.get(sync_id)
    chosen = {export(name, known.sync.version).name for name in names} or set(known.switches)
    together = {EXPORTS[one].together for one in chosen} - {None}
    available = exports_of(known.sync.version)
    chosen |= {one.name for one in available if one.together in together}
    enabled = {name for name, switch in known.switches.items() if switch.enabled}
    wanted = enabled | chosen if on else enabled - chosen
    switches = switched(known.switches, wanted, now)
    changed = [name for name in switches if switches[name] != known.switches.get(name)]
    if changed:
        registry.put(known.sync, switches, now)
    return changed

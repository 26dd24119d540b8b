"""Making the registry match a sync file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.contracts.feeds import exports_of_sync
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig, SourceError, SourceUnavailable, UnknownSync
from cio_pipeline.model.history import Deed
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync, changed_meanwhile
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import window_holding
from cio_pipeline.pipeline.lifecycle.contract_change import told_of_contract
from cio_pipeline.pipeline.lifecycle.holding import changing
from cio_pipeline.pipeline.lifecycle.reconfigure import redirect
from cio_pipeline.pipeline.lifecycle.switches import resumable, switched, turned
from cio_pipeline.pipeline.lifecycle.upgrade import require_no_downgrade, told_of_upgrade
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.syncs.sync_file import Location, check_together

FIXED = (
    "workspace_id",
    "feed",
    "timestamp_unit",
    "stems",
    "layout",
    "format",
    "integration_id",
    "action_id",
    "write_empty",
)
"""What a sync keeps for its life: changing it would break what was sent already."""


@dataclass(frozen=True)
class Applied:
    """What applying did to one sync: `created`, `changed` or `unchanged`, and what changed.

    `notes` are what to know of it: gaps, and exports that stay as they were switched by hand.
    """

    sync_id: str
    action: str
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def apply_syncs(
    services: Services,
    syncs: Sequence[Sync],
    located: Callable[[Sync], Location],
    now: datetime,
    who: str = "somebody",
) -> list[Applied]:
    """Register new syncs (created `now`) and change known ones; all or nothing is checked first.

    Syncs that the file does not name stay as they are. Raises InvalidConfig; and for a changed
    destination what lifecycle.reconfigure does, when the syncs before it were applied.
    """
    known = {one.sync.id: one for one in services.ledger.registry.all()}
    named = {sync.id for sync in syncs}
    others = [one.sync for sync_id, one in known.items() if sync_id not in named]
    check_together([*syncs, *others], located)
    for sync in syncs:
        if sync.id in known:
            _check_change(services.ledger.registry, known[sync.id], sync, now)
    applying = _Applying(services, located, now, Deed(who, "apply"))
    return [applying.apply(known.get(sync.id), sync) for sync in syncs]


def _check_change(registry: Registry, known: RegisteredSync, new: Sync, now: datetime) -> None:
    old = known.sync
    changed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    if changed:
        raise InvalidConfig(
            f"Sync '{old.id}' cannot change its {', '.join(changed)}: files were or will be sent "
            "with it.",
            "Register a new sync under another id.",
        )
    require_no_downgrade(old, new)
    list(resumable(registry, known, _switches(known, new, now), now))


def _switches(known: RegisteredSync, new: Sync, now: datetime) -> dict[str, ExportSwitch]:
    """The switches once the file's exports are what they are to be.

    Only exports that the file newly names, or no longer names, are turned: what was paused or
    resumed by hand stays so.
    """
    before, after = set(exports_of_sync(known.sync)), set(exports_of_sync(new))
    on = {name for name, switch in known.switches.items() if switch.enabled}
    return switched(known.switches, (on - (before - after)) | (after - before), now)


@dataclass(frozen=True)
class _Applying:
    """Everything but the sync that is applied."""

    services: Services
    located: Callable[[Sync], Location]
    now: datetime
    deed: Deed

    def apply(self, known: RegisteredSync | None, sync: Sync) -> Applied:
        registry = self.services.ledger.registry
        if known is None:
            self._register(sync)
            return Applied(sync.id, "created")
        switches = _switches(known, sync, self.now)
        notes = [*resumable(registry, known, switches, self.now), *_by_hand(sync, switches)]
        changes = (*_changed(known.sync, sync), *turned(known.switches, switches))
        if known.sync.version != sync.version:
            notes += told_of_upgrade(known.sync, sync)
        if known.sync.contract != sync.contract:
            notes += told_of_contract(known.sync.contract, sync.contract)
        if known.sync.destination != sync.destination:
            notes += redirect(
                self.services,
                known,
                sync,
                switches,
                located=self.located,
                at=self.now,
                deed=self.deed,
            )
        elif changes or known.sync != sync:
            with changing(self.services, sync.id):
                registry.put(sync, switches, self.now, self.deed, known=known)
        return Applied(sync.id, "changed" if changes else "unchanged", changes, tuple(notes))

    def _register(self, sync: Sync) -> None:
        registry = self.services.ledger.registry
        with changing(self.services, sync.id):
            with suppress(UnknownSync):
                registry.get(sync.id)
                raise changed_meanwhile(sync.id)
            on = {name: ExportSwitch(enabled=True) for name in exports_of_sync(sync)}
            if sync.feed.facts.forwards:
                self._begin(sync)
            registry.put(sync, on, self.now, self.deed)

    def _begin(self, sync: Sync) -> None:
        """Decide where it begins, if the source answers: not every source tells that later."""
        begin = window_holding(self.now, sync.feed).start
        with suppress(SourceError, SourceUnavailable, InvalidConfig):
            decide_cut(self.services, begin)


def _changed(old: Sync, new: Sync) -> Iterator[str]:
    for name in type(new).model_fields:
        if name != "exports" and getattr(old, name) != getattr(new, name):
            yield name


def _by_hand(sync: Sync, switches: dict[str, ExportSwitch]) -> Iterator[str]:
    wanted = exports_of_sync(sync)
    differ = [name for name, switch in switches.items() if switch.enabled != (name in wanted)]
    for name in differ:
        state, verb = ("on", "pause") if switches[name].enabled else ("off", "resume")
        yield (
            f"{name} stays {state}, as it was switched by hand; "
            f"`cio-pipeline sync {verb} {sync.id} --export {name}` changes it."
        )

"""Storing the next manifest of a sync's chain in the ledger, before anything is put (D10)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.manifests import (
    CHAIN,
    ExportStatus,
    InitialProgress,
    Manifest,
    ManifestFile,
    VoidSequence,
    render,
)
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.attempt import attempt
from cio_pipeline.pipeline.heartbeat import HeldLease
from cio_pipeline.pipeline.services import Services

STORE_AT_ONCE = 200
"""Manifests per transaction."""


@dataclass(frozen=True)
class Listing:
    """What the next manifest of a sync lists."""

    registered: RegisteredSync
    states: Sequence[ExportState]
    files: Sequence[ManifestFile]
    void: Sequence[VoidSequence]

    @property
    def sync_id(self) -> str:
        """The sync's id."""
        return self.registered.sync.id


def store_rest(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> tuple[Mapping[str, int], Mapping[str, Failure]]:
    """Store a manifest of what none lists yet, without putting it.

    Returns how many files it lists per sync that has something to list, and who failed.
    """
    if not syncs:
        return {}, {}
    before = _states(services, syncs)
    pending = services.ledger.manifests.pending([one.sync.id for one in syncs])
    states = _states(services, syncs)
    # A position must not be ahead of the files listed: a lost ledger goes on from it. Who commits
    # just now writes the next manifest.
    ready = [
        Listing(one, states[one.sync.id], *pending[one.sync.id])
        for one in syncs
        if one.sync.id in pending and states[one.sync.id] == before[one.sync.id]
    ]
    failed: dict[str, Failure] = {}
    for start in range(0, len(ready), STORE_AT_ONCE):
        failed |= _store_all(services, held, window, ready[start : start + STORE_AT_ONCE])
    return {sync_id: len(files) for sync_id, (files, _) in pending.items()}, failed


def _states(services: Services, syncs: Sequence[RegisteredSync]) -> Mapping[str, list[ExportState]]:
    exports = sorted({export for one in syncs for export in one.switches})
    states = services.ledger.registry.states(exports, [one.sync.id for one in syncs])
    ordered = sorted(states, key=lambda state: (state.sync.id, state.export))
    groups = groupby(ordered, key=lambda state: state.sync.id)
    return {one.sync.id: [] for one in syncs} | {key: list(group) for key, group in groups}


def _store_all(
    services: Services, held: HeldLease, window: Window, listings: Sequence[Listing]
) -> dict[str, Failure]:
    """Store all together, or one by one if any of them fails."""
    failure = attempt(lambda: _store(services, held, window, listings))
    if failure is None:
        return {}
    if len(listings) == 1:
        return {listings[0].sync_id: failure}
    alone = [_store_all(services, held, window, [one]) for one in listings]
    return {sync_id: failure for failed in alone for sync_id, failure in failed.items()}


def _store(
    services: Services, held: HeldLease, window: Window, listings: Sequence[Listing]
) -> None:
    lasts = services.ledger.manifests.lasts([one.sync_id for one in listings])
    # In this order: had another run gone on from `last` by now, its lease would show here.
    held.check_all([(one.sync_id, CHAIN) for one in listings])
    now = services.clock()
    made = [_manifest(one, lasts.get(one.sync_id), window, now) for one in listings]
    services.ledger.manifests.store([(manifest, render(manifest)) for manifest in made])


def _manifest(
    listing: Listing, last: tuple[int, str] | None, window: Window, now: datetime
) -> Manifest:
    sync, sent = listing.registered.sync, {file.export for file in listing.files}
    return Manifest(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        feed=sync.feed,
        version=sync.version,
        generation=listing.registered.generation,
        ordinal=last[0] + 1 if last else 1,
        created_at=now,
        previous=last[1] if last else None,
        files=tuple(listing.files),
        void=tuple(listing.void),
        exports=tuple(export_status(state, window, sent) for state in listing.states),
    )


def export_status(state: ExportState, window: Window, sent: Collection[str]) -> ExportStatus:
    """Where an export stands: paused, initial-running, outstanding, delivered or empty."""
    position = state.position.at if state.position else None
    if not state.on:
        name = "paused"
    elif position is None:
        name = "initial-running"
    elif state.open_plan is not None or _behind(state, window):
        name = "outstanding"
    else:
        name = "delivered" if state.export in sent else "empty"
    initial = _initial(state.open_plan)
    cut = state.open_plan.upper if state.open_plan and initial else state.position
    source = cut.tables.get(ALL_EXPORTS[state.export].source) if cut else None
    return ExportStatus(state.export, name, position, source, initial)


def _initial(plan: Plan | None) -> InitialProgress | None:
    """How far a plan has come that delivered some of its slices."""
    if plan is None or not plan.slice:
        return None
    return InitialProgress(plan.upper.at, plan.slices, plan.slice_rows, plan.slice)


def _behind(state: ExportState, window: Window) -> bool:
    due = window.due(state.sync.cadence)
    return due and state.position is not None and state.position.at < window.end

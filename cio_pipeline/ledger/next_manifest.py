"""What the next manifest of a sync says of its exports (D10)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.manifests import (
    ExportStatus,
    InitialProgress,
    Manifest,
    ManifestFile,
    VoidSequence,
)
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.windows import Window


@dataclass(frozen=True)
class Listing:
    """What the next manifest of a sync lists; `last` are number and digest of the one before."""

    registered: RegisteredSync
    last: tuple[int, str] | None
    files: Sequence[ManifestFile]
    void: Sequence[VoidSequence]
    states: Sequence[ExportState]


def next_manifest(listing: Listing, window: Window | None, at: datetime) -> Manifest:
    """The manifest that goes on from the last one, as of a window's run (None: of none)."""
    sync, last = listing.registered.sync, listing.last
    sent = {file.export for file in listing.files}
    return Manifest(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        feed=sync.feed,
        version=sync.version,
        generation=listing.registered.generation,
        ordinal=last[0] + 1 if last else 1,
        created_at=at,
        previous=last[1] if last else None,
        files=tuple(listing.files),
        void=tuple(listing.void),
        exports=tuple(export_status(state, window, sent) for state in listing.states),
    )


def export_status(state: ExportState, window: Window | None, sent: Collection[str]) -> ExportStatus:
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
    since = plan.lower.tables.get(ALL_EXPORTS[plan.export].source) if plan.lower else None
    return InitialProgress(plan.upper.at, plan.slices, plan.slice_rows, plan.slice, since)


def _behind(state: ExportState, window: Window | None) -> bool:
    if window is None or state.position is None:
        return False
    return window.due(state.sync.cadence) and state.position.at < window.end

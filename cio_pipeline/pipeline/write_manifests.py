"""Writing the chain of manifests (D10): stored in the ledger first, then put with create."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cio_pipeline.model.manifests import (
    ExportStatus,
    Manifest,
    ManifestFile,
    VoidSequence,
    manifest_key,
    render,
)
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.deliver import Failure, attempt
from cio_pipeline.pipeline.heartbeat import TTL, HeldLease
from cio_pipeline.pipeline.ports import Pair
from cio_pipeline.pipeline.services import Services

CHAIN = "manifest"
"""Stands for the export in the lease on a sync's chain."""


@dataclass(frozen=True)
class Written:
    """What came of one sync's chain: how many files the new manifest lists, or the error."""

    sync_id: str
    ordinal: int | None
    files: int
    error: str | None = None


def write_manifests(
    services: Services, window: Window, sync_ids: Collection[str] | None = None
) -> tuple[Written, ...]:
    """Put manifests that a crash left behind, then list what no manifest lists yet.

    A sync without a new commit gets no manifest. A sync that fails keeps its manifest in the
    ledger and is recorded; the others go on.
    """
    known = {one.sync.id: one for one in services.ledger.registry.all()}
    wanted = [sync_id for sync_id in known if sync_ids is None or sync_id in sync_ids]
    busy = _with_work(services, wanted)
    pairs: list[Pair] = [(sync_id, CHAIN) for sync_id in busy]
    lease, _ = services.ledger.leases.claim(pairs, services.owner, services.clock(), TTL)
    held = HeldLease(services.ledger.leases, lease, services.clock)
    try:
        mine = [sync_id for sync_id, _ in lease.tokens]
        return _continue_chains(services, held, window, [known[one] for one in mine])
    finally:
        held.release()


def _with_work(services: Services, sync_ids: Sequence[str]) -> list[str]:
    unput = {sync_id for sync_id, _, _ in services.ledger.manifests.unput(sync_ids)}
    return sorted(unput | set(services.ledger.manifests.pending(sync_ids)))


def _continue_chains(
    services: Services, held: HeldLease, window: Window, syncs: Sequence[RegisteredSync]
) -> tuple[Written, ...]:
    ids = [one.sync.id for one in syncs]
    pending = services.ledger.manifests.pending(ids)
    states = _states(services, syncs)
    for one in syncs:
        files, void = pending.get(one.sync.id, ((), ()))
        if files or void:
            _store(services, window, one, states[one.sync.id], (files, void))
    return tuple(_put(services, held, window, one, pending) for one in syncs)


def _states(services: Services, syncs: Sequence[RegisteredSync]) -> Mapping[str, list[ExportState]]:
    exports = sorted({export for one in syncs for export in one.switches})
    states = services.ledger.registry.states(exports, [one.sync.id for one in syncs])
    ordered = sorted(states, key=lambda state: (state.sync.id, state.export))
    groups = groupby(ordered, key=lambda state: state.sync.id)
    return {one.sync.id: [] for one in syncs} | {key: list(group) for key, group in groups}


def _store(
    services: Services,
    window: Window,
    registered: RegisteredSync,
    states: Sequence[ExportState],
    pending: tuple[Sequence[ManifestFile], Sequence[VoidSequence]],
) -> None:
    sync, (files, void) = registered.sync, pending
    last = services.ledger.manifests.last(sync.id)
    sent = {file.export for file in files}
    manifest = Manifest(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        feed=sync.feed,
        version=sync.version,
        generation=registered.generation,
        ordinal=last[0] + 1 if last else 1,
        created_at=services.clock(),
        previous=last[1] if last else None,
        files=tuple(files),
        void=tuple(void),
        exports=tuple(export_status(state, window, sent) for state in states),
    )
    services.ledger.manifests.store(manifest, render(manifest))


def export_status(state: ExportState, window: Window, sent: Collection[str]) -> ExportStatus:
    """Where an export stands: paused, initial-running, outstanding, delivered or empty."""
    position = state.position.at if state.position else None
    if not state.switch.enabled:
        name = "paused"
    elif position is None:
        name = "initial-running"
    elif state.open_plan is not None or _behind(state, window):
        name = "outstanding"
    else:
        name = "delivered" if state.export in sent else "empty"
    return ExportStatus(state.export, name, position)


def _behind(state: ExportState, window: Window) -> bool:
    due = window.due(state.sync.cadence)
    return due and state.position is not None and state.position.at < window.end


def _put(
    services: Services,
    held: HeldLease,
    window: Window,
    registered: RegisteredSync,
    pending: Mapping[str, tuple[Sequence[ManifestFile], Sequence[VoidSequence]]],
) -> Written:
    sync = registered.sync
    listed = len(pending.get(sync.id, ((), ()))[0])
    ordinals: list[int] = []

    def put_all() -> None:
        destination = services.destinations(sync)
        for _, ordinal, body in services.ledger.manifests.unput([sync.id]):
            held.check((sync.id, CHAIN))
            if sync.manifest:
                destination.put_bytes(manifest_key(ordinal), body)
            services.ledger.manifests.mark_put(sync.id, ordinal, services.clock())
            ordinals.append(ordinal)

    failure = attempt(put_all)
    if failure is not None:
        _record(services, window, sync.id, failure)
    last = ordinals[-1] if ordinals else None
    return Written(sync.id, last, listed, failure.message if failure else None)


def _record(services: Services, window: Window, sync_id: str, failure: Failure) -> None:
    services.ledger.errors.record(
        [(sync_id, CHAIN)], window.end, failure.kind, failure.message, services.clock()
    )

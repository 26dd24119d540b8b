"""A chain of manifests that begins anew: in another place, or where all was purged (D10)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cio_pipeline.ledger.chain import next_manifest
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.manifests import FirstNumber, Manifest
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.pipeline.lifecycle.holding import window_of


def begun_anew(
    ledger: Ledger, known: RegisteredSync, to: RegisteredSync, at: datetime
) -> tuple[RegisteredSync, Manifest | None]:
    """What a sync becomes `to`, with the manifest that its chain begins with in its new place.

    It lists no file, and tells where exports stand and numbers go on. A sync that has no manifest
    yet needs none: its chain begins with number 1 wherever it goes.
    """
    last = ledger.manifests.last(known.sync.id)
    if last is None:
        return to, None
    states = ledger.registry.states(list(known.switches), [known.sync.id])
    to = replace(to, first_manifest=last[0] + 1)
    stand = [_as(state, to) for state in states]
    manifest = next_manifest(to, last, stand, window_of(at), at)
    return to, replace(manifest, begins=_next_numbers(states))


def _as(state: ExportState, to: RegisteredSync) -> ExportState:
    """Where an export stands once the sync is `to`; a new generation has sent nothing."""
    new = to.generation != state.registered.generation
    return replace(
        state,
        registered=to,
        switch=to.switches[state.export],
        position=None if new else state.position,
        open_plan=None if new else state.open_plan,
    )


def _next_numbers(states: Sequence[ExportState]) -> tuple[FirstNumber, ...]:
    return tuple(
        FirstNumber(state.export, series, number)
        for state in states
        for series, number in sorted(state.next_sequence.items())
        if number > 1
    )

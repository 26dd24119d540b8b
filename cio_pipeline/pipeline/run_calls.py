"""The calls feed of one window, top to bottom.

Each sync is one (sync, export) pair: its position is shared by the six types. What becomes of a
call's payload is in `files.call_rows`; how files are named and numbered in `make_calls`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.planning.plan_export import Batch
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline.pipeline.services import Services


def run_calls(
    services: Services, window: Window, scope: Scope
) -> tuple[Batch, tuple[Outcome, ...]]:
    """Plan, seal, deliver and commit the calls of a window, for each sync that is due.

    Errors of single syncs are outcomes. Raises the source's errors, and LedgerError.
    """
    batch = plan_export(services, CALLS.name, window, scope)
    return batch, deliver_export(services, batch)


@dataclass(frozen=True)
class OfType:
    """What was sent of one type of call, over all syncs."""

    files: int = 0
    rows: int = 0
    bytes: int = 0


def sent_by_type(outcomes: Iterable[Outcome]) -> Mapping[str, OfType]:
    """What was sent of each type of call; nothing for those that had none."""
    found: dict[str, OfType] = {}
    for kind, rows, size in (file for one in outcomes for file in one.kinds):
        before = found.get(kind, OfType())
        found[kind] = OfType(before.files + 1, before.rows + rows, before.bytes + size)
    return found

"""The calls feed of one window, top to bottom.

Each sync is one (sync, export) pair: its position is shared by the six types. What becomes of a
call's payload is in `files.call_rows`; how files are named and numbered in `make_calls`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.model.registry import Outcome
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.plan_export import Batch
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


def rows_by_type(outcomes: Iterable[Outcome]) -> Mapping[str, tuple[int, int]]:
    """Files and rows of each type of call that was sent, over all syncs."""
    files: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for kind, of_file in (sent for one in outcomes for sent in one.kinds):
        files[kind] += 1
        rows[kind] += of_file
    return {kind: (files[kind], rows[kind]) for kind in files}

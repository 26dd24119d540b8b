"""What the next sync would send and why, without sending or storing anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cio_pipeline.changesets.decide import Resume
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.changes import SERIES
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import PlanDraft
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.cohorts import Cohort, changeset_of, cohorts_of
from cio_pipeline.pipeline.cuts import peek_cut
from cio_pipeline.pipeline.plan_export import Decided, decided, drafts_of
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Preview:
    """One (sync, export): the decision's name, why, and rows per series (None: not counted)."""

    sync_id: str
    export: str
    decision: str
    why: str
    rows: int | None = None
    chngs: int | None = None
    rejected: int | None = None


def preview(services: Services, window: Window, scope: Scope, *, count: bool) -> list[Preview]:
    """Preview every (sync, export) of a scope in a window; `count` reads the changesets."""
    cut = peek_cut(services, window.end)
    found: list[Preview] = []
    for export in EXPORTS:
        items = decided(services, export, window, cut, scope)
        counts = _counts(services, items, cut) if count else {}
        found += [_preview(item, counts) for item in items]
    return found


def _preview(item: Decided, counts: dict[str, tuple[int, int, int]]) -> Preview:
    name = type(item.decision).__name__
    sync_id, export = item.state.sync.id, item.state.export
    return Preview(
        sync_id, export, name, item.decision.why, *counts.get(sync_id, (None, None, None))
    )


def _counts(
    services: Services, items: Sequence[Decided], cut: Cut
) -> dict[str, tuple[int, int, int]]:
    resumed: list[PlanDraft] = [
        item.decision.plan for item in items if isinstance(item.decision, Resume)
    ]
    found: dict[str, tuple[int, int, int]] = {}
    for cohort in cohorts_of([*resumed, *drafts_of(items, cut)]):
        found |= _count(services, cohort)
    return found


def _count(services: Services, cohort: Cohort[PlanDraft]) -> dict[str, tuple[int, int, int]]:
    changeset = changeset_of(services.source, services.ledger, cohort)
    keys = ["workspace_id", SERIES]
    rows, rejected = pl.collect_all(
        [
            changeset.rows.group_by(keys).len(),
            changeset.rejected.group_by("workspace_id").agg(pl.col("count").sum()),
        ],
        engine="streaming",
    )
    sent = {(workspace, series): count for workspace, series, count in rows.iter_rows()}
    held = dict(rejected.iter_rows())
    return {
        plan.sync_id: (
            sent.get((plan.workspace_id, "plain"), 0),
            sent.get((plan.workspace_id, "chngs"), 0),
            held.get(plan.workspace_id, 0),
        )
        for plan in cohort.plans
    }

"""What the next sync would send and why, without sending or storing anything."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import polars as pl

from cio_pipeline.changesets.decide import Resume, decide
from cio_pipeline.contracts.feeds import ALL_EXPORTS, FEEDS, facts_of
from cio_pipeline.model.changeset import SERIES
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import CioError, SourceError, SourceUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.plans import PlanDraft
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.slices import Slice
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of, rest_of
from cio_pipeline.pipeline.planning.cuts import peek_cut, tables_of
from cio_pipeline.pipeline.planning.plan_export import Decided, decided, drafts_of
from cio_pipeline.pipeline.planning.rows import changeset_of, forwarded_rows, in_force
from cio_pipeline.pipeline.services import Services

Counts: TypeAlias = tuple[int, int, int]
"""Rows, rows of `chngs` files, and rows held back."""


@dataclass(frozen=True)
class Preview:
    """One (sync, export): the decision's name, why, and rows per series (None: not counted).

    `held` names the run that works on it, and until when: another run would leave it alone.
    """

    sync_id: str
    export: str
    decision: str
    why: str
    rows: int | None = None
    chngs: int | None = None
    rejected: int | None = None
    held: str | None = None


def preview(
    services: Services, window: Window, scope: Scope, *, count: bool, feed: Feed = Feed.DATA_OUT
) -> list[Preview]:
    """Preview every (sync, export) of a feed in a window; `count` reads the changesets."""
    cut = peek_cut(services, window.end)
    found: list[Preview] = []
    for export in FEEDS[feed]:
        try:
            found += _of_export(services, export, window, cut, scope, count=count)
        except (SourceError, SourceUnavailable) as error:
            # O8: the tables of one export say nothing of the others.
            found += _unreadable(services, export, scope, str(error))
    by_pair = {
        (one.sync_id, one.export): f"{one.owner}, until {one.expires_at:%H:%M:%S} UTC"
        for one in services.ledger.leases.holders(services.clock())
    }
    return [replace(one, held=by_pair.get((one.sync_id, one.export))) for one in found]


def _of_export(
    services: Services, export: str, window: Window, cut: Cut, scope: Scope, *, count: bool
) -> list[Preview]:
    needed = tables_of(export)
    if not cut.undecided.isdisjoint(needed):
        cut = peek_cut(services, window.end, needed)
    items = decided(services, export, window, cut, scope, cut_at=peek_cut)
    later = [_after_resume(item, window, cut) for item in items]
    found = _previews(services, items, cut, count=count)
    return found + _previews(
        services, [item for item in later if item is not None], cut, count=count
    )


def _unreadable(services: Services, export: str, scope: Scope, why: str) -> list[Preview]:
    states = services.ledger.registry.states([export], scope.sync_ids)
    return [Preview(state.sync.id, export, "Unreadable", why) for state in states]


def _previews(
    services: Services, items: Sequence[Decided], cut: Cut, *, count: bool
) -> list[Preview]:
    """One export's previews; a table that cannot be read is told and stops no other export."""
    try:
        counts = _counts(services, items, cut) if count else {}
    except CioError as error:
        return [_preview(item, {}, f"{item.decision.why} But: {error}") for item in items]
    return [_preview(item, counts, item.decision.why) for item in items]


def _preview(item: Decided, counts: dict[str, Counts], why: str) -> Preview:
    name = type(item.decision).__name__
    sync_id, export = item.state.sync.id, item.state.export
    return Preview(sync_id, export, name, why, *counts.get(sync_id, (None, None, None)))


def _after_resume(item: Decided, window: Window, cut: Cut) -> Decided | None:
    """What the window sends once the open plan is finished: a run does both."""
    if not isinstance(item.decision, Resume):
        return None
    state = replace(item.state, open_plan=None, position=item.decision.plan.upper)
    return Decided(state, decide(state, window, cut, ALL_EXPORTS[state.export].source))


def _counts(services: Services, items: Sequence[Decided], cut: Cut) -> dict[str, Counts]:
    resumed: list[PlanDraft] = [
        item.decision.plan for item in items if isinstance(item.decision, Resume)
    ]
    found: dict[str, Counts] = {}
    for cohort in cohorts_of([*resumed, *drafts_of(items, cut)]):
        found |= _count(services, cohort)
    return found


def _count(services: Services, cohort: Cohort[PlanDraft]) -> dict[str, Counts]:
    if facts_of(cohort.export.name).forwards:
        return _count_forwarded(services, cohort)
    sent: Counter[tuple[int, str]] = Counter()
    held: Counter[int] = Counter()
    for part in rest_of(services.source, cohort.model):
        rows, rejected = _count_part(services, cohort, part)
        sent.update({(workspace, series): count for workspace, series, count in rows.iter_rows()})
        held.update(dict(rejected.iter_rows()))
    return {
        plan.sync_id: (
            sent[plan.workspace_id, "plain"],
            sent[plan.workspace_id, "chngs"],
            held[plan.workspace_id],
        )
        for plan in cohort.plans
    }


def _count_part(
    services: Services, cohort: Cohort[PlanDraft], part: Slice | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows by workspace and series, and those held back; for each part, people are in memory."""
    terms = in_force(services, cohort.model)
    read = changeset_of(services.source, services.ledger, cohort, part, terms=terms)
    sent, held = pl.collect_all(
        [
            read.rows.group_by("workspace_id", SERIES).len(),
            read.rejected.group_by("workspace_id").agg(pl.col("count").sum()),
        ],
        engine="streaming",
    )
    return sent, held


def _count_forwarded(services: Services, cohort: Cohort[PlanDraft]) -> dict[str, Counts]:
    """Source rows; which of them are held back shows when they are written."""
    parts = rest_of(services.source, cohort.model)
    read = [forwarded_rows(services.source, services.ledger, cohort, part) for part in parts]
    counts = pl.concat(read).group_by("workspace_id").len().collect(engine="streaming")
    found = dict(counts.iter_rows())
    return {plan.sync_id: (found.get(plan.workspace_id, 0), 0, 0) for plan in cohort.plans}

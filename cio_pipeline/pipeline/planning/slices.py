"""Slices of plans: how large they are, and which rows the next one reads.

A slice of an initial export holds as many rows of the served workspaces as fill one file. That
bounds what lies in the spool, what the encoder holds in memory (rows of many workspaces stay there
until their files are full), and what is encoded again after a crash. A slice of changes holds as
many as are netted and sorted in memory; most windows are one.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import polars as pl

from cio_pipeline.changesets.parts import stretches_of
from cio_pipeline.contracts.declare import Export, SourceTable
from cio_pipeline.contracts.feeds import ALL_EXPORTS, changed_rows_at_once, facts_of
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.encode import Shape, named_errors
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import CioError, SourceError
from cio_pipeline.model.plans import Mode, Plan, PlanDraft
from cio_pipeline.model.slices import Bucket, Part, Slice, Stretch
from cio_pipeline.pipeline.planning.cohorts import INITIAL_WORKSPACES
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Source


def with_slices(services: Services, drafts: Sequence[PlanDraft]) -> list[PlanDraft]:
    """The drafts of one export and cut, in slices where they read much.

    Raises the source's errors for initial ones.
    """
    initial = [draft for draft in drafts if not reads_changes(draft)]
    rows, number = _size(services, initial) if initial else (None, 1)
    changes = sorted(filter(reads_changes, drafts), key=_lower)
    return [
        *(replace(draft, slices=number, slice_rows=rows) for draft in initial),
        *(one for _, group in groupby(changes, _lower) for one in _cut(services, list(group))),
    ]


def rest_of(services: Services, plan: PlanDraft) -> Sequence[Slice | None]:
    """What a plan has yet to read, in order; None stands for all of it.

    Raises SourceError if the table no longer has the slices that the plan was made for, and the
    source's other errors.
    """
    if plan.slice_rows is None:
        return [None]
    parts = _slices(services.source, plan)
    if len(parts) != plan.slices:
        table = ALL_EXPORTS[plan.export].source
        raise SourceError(
            f"Table {table} has {len(parts)} slices at version {plan.upper.table(table).version}, "
            f"the plan of '{plan.export}' of sync '{plan.sync_id}' was made for {plan.slices}.",
            "Restore the log of the table as it was, or abandon the plan.",
        )
    return parts[plan.slice :] if isinstance(plan, Plan) else parts


def _slices(source: Source, plan: PlanDraft) -> Sequence[Slice]:
    export, rows = ALL_EXPORTS[plan.export], plan.slice_rows or 1
    if not reads_changes(plan):
        table = SOURCE_TABLES[export.source]
        return source.slices(table, plan.upper.table(table.name), rows)
    if plan.slices == 1:
        return [Stretch()]
    if not facts_of(export.name).forwards:
        return _buckets(export, plan.slices)
    return _stretches(source.blocks(*range_of(plan), rows), plan, rows)


def _buckets(export: Export, number: int) -> list[Part]:
    """By entity, as far as it tells rows apart: the rows of one stay together, oldest first."""
    identity = SOURCE_TABLES[export.source].identity
    by = tuple(name for name in identity if name in export.entity_key)
    return [Bucket(at, number, by) for at in range(number)]


def _stretches(blocks: pl.DataFrame, plan: PlanDraft, rows: int) -> Sequence[Part]:
    return stretches_of(blocks.filter(pl.col("workspace_id") == plan.workspace_id), rows)


def reads_changes(plan: PlanDraft) -> bool:
    """Whether a plan reads what changed, and not rows as they are at its upper cut."""
    return plan.mode not in {Mode.INITIAL, Mode.RETRY} and plan.lower is not None


def range_of(plan: PlanDraft) -> tuple[SourceTable, TableCut, TableCut]:
    """What changed of a plan's driving table; the plan is no initial one."""
    table = SOURCE_TABLES[ALL_EXPORTS[plan.export].source]
    lower = plan.lower or plan.upper
    return table, lower.table(table.name), plan.upper.table(table.name)


def _lower(draft: PlanDraft) -> tuple[str, int]:
    _, lower, _ = range_of(draft)
    return lower.table_id, lower.version


def _cut(services: Services, drafts: list[PlanDraft]) -> list[PlanDraft]:
    """Drafts that read the same changes, in slices if these are many."""
    model = drafts[0]
    export = ALL_EXPORTS[model.export]
    rows = services.slice_rows or changed_rows_at_once(export)
    try:
        if services.source.changed_rows(*range_of(model)) <= rows:
            return drafts
        blocks = services.source.blocks(*range_of(model), rows)
    except CioError:
        # It concerns these plans alone: who reads the changes is told so.
        return drafts
    counts = dict(blocks.group_by("workspace_id").agg(pl.col("len").sum()).iter_rows())
    return [_of_rows(draft, blocks, counts.get(draft.workspace_id, 0), rows) for draft in drafts]


def _of_rows(draft: PlanDraft, blocks: pl.DataFrame, count: int, rows: int) -> PlanDraft:
    if count <= rows:
        return replace(draft, slices=1, slice_rows=count)
    number = -(-count // rows)
    if facts_of(draft.export).forwards:
        number = len(_stretches(blocks, draft, rows))
    return replace(draft, slices=number, slice_rows=rows)


def _size(services: Services, drafts: Sequence[PlanDraft]) -> tuple[int | None, int]:
    """(source rows of a slice, slices); None and 1 if one slice is enough."""
    model = drafts[0]
    export = ALL_EXPORTS[model.export]
    table, wanted = SOURCE_TABLES[export.source], services.slice_rows or export.rows_per_file
    cut = model.upper.table(table.name)
    # Without reading any row: it is enough for small tables.
    if len(services.source.slices(table, cut, wanted)) == 1:
        return None, 1
    rows = services.source.snapshot(table, cut)
    workspaces = sorted({draft.workspace_id for draft in drafts})
    served = pl.col("workspace_id").is_in(workspaces)
    counts = rows.select(pl.len(), served.sum().alias("served"))
    with named_errors(counts, Shape(export, model.version, model.timestamp_unit, wanted)):
        total, of_ours = counts.collect(engine="streaming").row(0)
    of_cohort = of_ours * min(len(workspaces), INITIAL_WORKSPACES) // len(workspaces)
    stretched = wanted * total // of_cohort if of_cohort else max(total, 1)
    number = len(services.source.slices(table, cut, stretched))
    return (stretched, number) if number > 1 else (None, 1)

"""Slices of plans: how large they are, and which rows the next one reads.

A slice of an initial export holds as many rows of the served workspaces as fill one file. That
bounds what lies in the spool, what the encoder holds in memory (rows of many workspaces stay there
until their files are full), and what is encoded again after a crash. A slice of changes holds as
many as are netted and sorted in memory; most windows are one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

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

MUCH = 10
"""How many times the rows of a workspace the average one has, if it is served before the others."""


def with_slices(services: Services, drafts: Sequence[PlanDraft]) -> list[PlanDraft]:
    """The drafts of one export and cut, in slices where they read much.

    Raises the source's errors for initial ones.
    """
    initial = [draft for draft in drafts if not reads_changes(draft)]
    changes = sorted(filter(reads_changes, drafts), key=_lower)
    return [
        *_of_history(services, initial),
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


def _of_history(services: Services, drafts: Sequence[PlanDraft]) -> list[PlanDraft]:
    """Drafts that read all rows, in slices if these are many.

    Workspaces of few rows beside much larger ones are served in one piece: they would wait for the
    last slice of the largest.
    """
    if not drafts:
        return []
    model = drafts[0]
    export = ALL_EXPORTS[model.export]
    table, wanted = SOURCE_TABLES[export.source], services.slice_rows or export.rows_per_file
    cut = model.upper.table(table.name)
    # Without reading any row: it is enough for small tables.
    if len(services.source.slices(table, cut, wanted)) == 1:
        return list(drafts)
    counted = services.source.snapshot(table, cut).group_by("workspace_id").agg(pl.len())
    with named_errors(counted, Shape(export, model.version, model.timestamp_unit, wanted)):
        counts = dict(counted.collect(engine="streaming").iter_rows())
    ours = {draft.workspace_id: counts.get(draft.workspace_id, 0) for draft in drafts}
    few = _few(ours, wanted)
    many = [rows for workspace, rows in ours.items() if workspace not in few]
    of_cohort = sum(many) * min(len(many), INITIAL_WORKSPACES) // max(1, len(many))
    total = sum(counts.values())
    stretched = wanted * total // of_cohort if of_cohort else max(total, 1)
    number = len(services.source.slices(table, cut, stretched))
    if number == 1:
        return list(drafts)
    sliced = {"slices": number, "slice_rows": stretched}
    return [one if one.workspace_id in few else replace(one, **sliced) for one in drafts]


def _few(rows: Mapping[int, int], most: int) -> frozenset[int]:
    """Workspaces that have much fewer rows than most, the smallest; so many rows in all."""
    average = sum(rows.values()) / len(rows)
    small = sorted((count, key) for key, count in rows.items() if count * MUCH <= average)
    sums = accumulate(count for count, _ in small)
    return frozenset(key for (_, key), so_far in zip(small, sums, strict=True) if so_far <= most)

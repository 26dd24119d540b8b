"""Slices of initial exports: how large they are, and which rows the next one reads.

A slice holds as many rows of the served workspaces as fill one file. That bounds what lies in the
spool, what the encoder holds in memory (rows of many workspaces stay there until their files are
full), and what is encoded again after a crash.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.fit import Shape, named_errors
from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.model.errors import SourceError
from cio_pipeline.model.plans import Mode, Plan, PlanDraft
from cio_pipeline.pipeline.planning.cohorts import INITIAL_WORKSPACES
from cio_pipeline.pipeline.services import Services


def with_slices(services: Services, drafts: Sequence[PlanDraft]) -> list[PlanDraft]:
    """The drafts of one export and cut, the initial ones in slices.

    Raises the source's errors.
    """
    initial = [draft for draft in drafts if draft.mode is Mode.INITIAL]
    if not initial:
        return list(drafts)
    rows, number = _size(services, initial)
    return [
        replace(draft, slices=number, slice_rows=rows) if draft.mode is Mode.INITIAL else draft
        for draft in drafts
    ]


def rest_of(services: Services, plan: PlanDraft) -> Sequence[TableSlice | None]:
    """What a plan has yet to read of its source table, in order; None stands for all of it.

    Raises SourceError if the table no longer has the slices that the plan was made for, and the
    source's other errors.
    """
    if plan.slice_rows is None:
        return [None]
    table = SOURCE_TABLES[ALL_EXPORTS[plan.export].source]
    cut = plan.upper.table(table.name)
    parts = services.source.slices(table, cut, plan.slice_rows)
    if len(parts) != plan.slices:
        raise SourceError(
            f"Table {table.name} has {len(parts)} slices at version {cut.version}, the plan of "
            f"'{plan.export}' of sync '{plan.sync_id}' was made for {plan.slices}.",
            "Restore the log of the table as it was, or abandon the plan.",
        )
    return parts[plan.slice :] if isinstance(plan, Plan) else parts


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

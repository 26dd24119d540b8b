"""Cohorts: plans that one scan of the source serves, whatever the number of workspaces."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Generic, TypeVar

import polars as pl

from cio_pipeline.changesets.build import Changeset, build
from cio_pipeline.changesets.quarantine import identity_expr
from cio_pipeline.changesets.reading import Note
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.feeds import ALL_EXPORTS, changed_rows_at_once, facts_of
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.changes import CHANGE, NEW, VERSION
from cio_pipeline.model.cuts import Cut, TableSlice
from cio_pipeline.model.plans import Mode, Plan, PlanDraft
from cio_pipeline.model.slices import Slice
from cio_pipeline.pipeline.planning.anonymous import stay_anonymous
from cio_pipeline.ports import Source

INITIAL_WORKSPACES = 200
"""Workspaces that share one scan of all history.

One scan for more would give each of them more and smaller files, since its slices would hold fewer
rows of each; a scan costs a tenth of what encoding its rows does.
"""

P = TypeVar("P", bound=PlanDraft)


@dataclass(frozen=True)
class Cohort(Generic[P]):
    """Plans of one export that agree in everything but sync, workspace and numbers."""

    export: Export
    plans: tuple[P, ...]

    @property
    def model(self) -> P:
        """Any of the plans: they agree in what is read and how it is encoded."""
        return self.plans[0]

    @property
    def workspaces(self) -> frozenset[int]:
        """The workspaces that are served."""
        return frozenset(plan.workspace_id for plan in self.plans)


def cohorts_of(plans: Iterable[P]) -> list[Cohort[P]]:
    """Plans grouped by what they read next and how it is encoded; lower slices come first."""
    ordered = sorted(plans, key=_likeness)
    groups = [list(group) for _, group in groupby(ordered, key=_likeness)]
    return [
        Cohort(ALL_EXPORTS[some[0].export], tuple(some))
        for group in groups
        for some in _portions(group)
    ]


def _portions(plans: list[P]) -> Iterable[list[P]]:
    """The plans as they are, but as few workspaces at a time as memory asks for."""
    if plans[0].mode is not Mode.INITIAL:
        return [some for few in _few_rows(plans) for some in _begun_alike(few)]
    workspaces = sorted({plan.workspace_id for plan in plans})
    starts = range(0, len(workspaces), INITIAL_WORKSPACES)
    portions = [set(workspaces[start : start + INITIAL_WORKSPACES]) for start in starts]
    return [[plan for plan in plans if plan.workspace_id in some] for some in portions]


def _few_rows(plans: list[P]) -> list[list[P]]:
    """The plans workspace by workspace, so many together as are netted in memory.

    Whose changes are in slices is alone: its slices are its own.
    """
    model = plans[0]
    if model.slice_rows is None:
        return [plans]
    most = 0 if model.slices > 1 else changed_rows_at_once(ALL_EXPORTS[model.export])
    found: list[list[P]] = []
    held = 0
    ordered = sorted(plans, key=lambda plan: plan.workspace_id)
    for _, group in groupby(ordered, key=lambda plan: plan.workspace_id):
        some = list(group)
        rows = some[0].slice_rows or 0
        if not found or held + rows > most:
            found.append([])
            held = 0
        found[-1] += some
        held += rows
    return found


def _begun_alike(plans: list[P]) -> Iterable[list[P]]:
    """The plans so that those of a workspace began alike: else they differ in whom they name."""
    layers: list[dict[int, datetime | None]] = []
    found: list[list[P]] = []
    for plan in plans:
        fits = (at for at, one in enumerate(layers) if _fits(one, plan))
        place = next(fits, len(layers))
        if place == len(layers):
            layers.append({})
            found.append([])
        layers[place][plan.workspace_id] = plan.begun
        found[place].append(plan)
    return found


def _fits(begun: Mapping[int, datetime | None], plan: PlanDraft) -> bool:
    return begun.get(plan.workspace_id, plan.begun) == plan.begun


def _likeness(plan: PlanDraft) -> tuple[str, ...]:
    driving = ALL_EXPORTS[plan.export].source
    lower = plan.lower.tables.get(driving) if plan.lower else None
    parts = (plan.export, plan.version, plan.timestamp_unit, plan.mode, lower, plan.upper.at)
    whole = plan.slices == 1 and plan.mode is not Mode.INITIAL
    slice_rows = plan.slice_rows is None if whole else plan.slice_rows
    bounds = (plan.floor, plan.rows_per_file, plan.fingerprint, plan.slices, slice_rows)
    bounds = (*bounds, plan.producer)
    at = f"{plan.slice:09}" if isinstance(plan, Plan) else ""
    # What a retry sends differs from sync to sync, also within a workspace.
    alone = plan.sync_id if plan.mode is Mode.RETRY else ""
    # The keys of messages are made with them.
    template = plan.stem if facts_of(plan.export).overwrites else ""
    return tuple(str(part) for part in (*parts, *bounds, at, alone, template))


def changeset_of(
    source: Source,
    ledger: Ledger,
    cohort: Cohort[P],
    part: Slice | None = None,
    retried: pl.DataFrame | None = None,
    *,
    note: Note | None = None,
) -> Changeset:
    """The lazy frames of a cohort, or of a slice of it; nothing is read before they are collected.

    A retry sends the rows that are in quarantine, or `retried` (columns IDENTITY). `note` is
    told of the people whom first files find gone.
    Raises the source's errors for tables that cannot be read at the cut.
    """
    plan, export = cohort.model, cohort.export
    driving = _driving(source, cohort, part)
    if plan.mode is Mode.RETRY:
        wanted = _in_quarantine(ledger, cohort) if retried is None else retried
        driving = _only(cohort, driving, wanted)
    anonymous = stay_anonymous(source, ledger, export, cohort.plans, driving)
    joins = {
        name: _at(source, name, plan.upper, cohort.workspaces)
        for name in export.joins
        if name in plan.upper.tables
    }
    return build(
        export,
        plan.version,
        plan.timestamp_unit,
        plan.mode,
        driving,
        joins=joins,
        workspaces=cohort.workspaces,
        floor=plan.floor,
        anonymous=anonymous,
        note=note,
    )


def forwarded_rows(
    source: Source,
    ledger: Ledger,
    cohort: Cohort[P],
    part: Slice | None = None,
    retried: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """The source rows that a cohort of a feed which forwards sends, or a slice of them.

    Columns: the table's, `identity` as quarantine names it, and VERSION (0 if the rows are not
    read as changes). Not sorted. A retry is told as in changeset_of.
    """
    plan, export = cohort.model, cohort.export
    rows = _driving(source, cohort, part)
    if plan.mode is Mode.RETRY:
        wanted = _in_quarantine(ledger, cohort) if retried is None else retried
        rows = _only(cohort, rows, wanted)
    if plan.mode is Mode.INITIAL or plan.mode is Mode.RETRY or plan.lower is None:
        rows = rows.with_columns(pl.lit(0, dtype=pl.Int64).alias(VERSION))
    else:
        rows = rows.filter(pl.col(CHANGE) == NEW)
    ours = pl.col("workspace_id").is_in(sorted(cohort.workspaces))
    return rows.filter(ours).with_columns(identity_expr(export).alias("identity"))


def _driving(source: Source, cohort: Cohort[P], part: Slice | None) -> pl.LazyFrame:
    plan, export = cohort.model, cohort.export
    table = SOURCE_TABLES[export.source]
    if isinstance(part, TableSlice):
        at = plan.upper.table(table.name)
        return source.snapshot(table, at, part, workspaces=cohort.workspaces)
    if plan.mode in {Mode.INITIAL, Mode.RETRY} or plan.lower is None:
        return _at(source, export.source, plan.upper, cohort.workspaces)
    lower, upper = plan.lower.table(table.name), plan.upper.table(table.name)
    if part is None:
        return source.changes(table, lower, upper)
    return source.changes(table, lower, upper, part, cohort.workspaces)


def _at(source: Source, table: str, cut: Cut, workspaces: Collection[int]) -> pl.LazyFrame:
    declared = SOURCE_TABLES[table]
    at = cut.tables.get(table)
    if at is None:
        return pl.LazyFrame(schema=source_schema(declared))
    return source.snapshot(declared, at, workspaces=workspaces)


def _in_quarantine(ledger: Ledger, cohort: Cohort[P]) -> pl.DataFrame:
    return ledger.quarantine.held([plan.sync_id for plan in cohort.plans], cohort.export.name)


def _only(cohort: Cohort[P], rows: pl.LazyFrame, identities: pl.DataFrame) -> pl.LazyFrame:
    wanted = identities.lazy().select("workspace_id", _identity="identity").unique()
    unit = cohort.model.timestamp_unit
    return (
        rows.with_columns(identity_expr(cohort.export, unit).alias("_identity"))
        .join(wanted, on=["workspace_id", "_identity"], how="semi")
        .drop("_identity")
    )

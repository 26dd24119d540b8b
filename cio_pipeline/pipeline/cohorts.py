"""Cohorts: plans that one scan of the source serves, whatever the number of workspaces."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

import polars as pl

from cio_pipeline.changesets.build import Changeset, build, everything_new
from cio_pipeline.changesets.quarantine import identity_expr
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.pipeline.ports import Ledger, Source

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
    """Plans grouped by what they read and how it is encoded."""
    ordered = sorted(plans, key=_likeness)
    groups = [tuple(group) for _, group in groupby(ordered, key=_likeness)]
    return [Cohort(EXPORTS[group[0].export], group) for group in groups]


def _likeness(plan: PlanDraft) -> tuple[str, ...]:
    driving = EXPORTS[plan.export].source
    lower = plan.lower.tables.get(driving) if plan.lower else None
    parts = (plan.export, plan.version, plan.timestamp_unit, plan.mode, lower, plan.upper.at)
    return tuple(str(part) for part in (*parts, plan.floor, plan.rows_per_file, plan.fingerprint))


def changeset_of(source: Source, ledger: Ledger, cohort: Cohort[P]) -> Changeset:
    """The lazy frames of a cohort; nothing is read before they are collected.

    Raises the source's errors for tables that cannot be read at the cut.
    """
    plan, export = cohort.model, cohort.export
    driving = _driving(source, plan, export)
    if plan.mode is Mode.RETRY:
        driving = _held_back(ledger, cohort, driving)
    joins = {name: _at(source, name, plan.upper) for name in export.joins}
    return build(
        export,
        plan.version,
        plan.timestamp_unit,
        plan.mode,
        driving,
        joins=joins,
        workspaces=cohort.workspaces,
        floor=plan.floor,
    )


def _driving(source: Source, plan: PlanDraft, export: Export) -> pl.LazyFrame:
    if plan.mode in {Mode.INITIAL, Mode.RETRY} or plan.lower is None:
        return _at(source, export.source, plan.upper)
    lower = plan.lower.tables.get(export.source)
    if lower is None:
        # A table that was created after the lower cut: all that it holds is new.
        upper = plan.upper.table(export.source)
        rows = source.snapshot(SOURCE_TABLES[export.source], upper)
        return everything_new(rows, upper.version, plan.upper.at)
    return source.changes(SOURCE_TABLES[export.source], lower, plan.upper.table(export.source))


def _at(source: Source, table: str, cut: Cut) -> pl.LazyFrame:
    declared = SOURCE_TABLES[table]
    at = cut.tables.get(table)
    if at is None:
        return pl.LazyFrame(schema=source_schema(declared))
    return source.snapshot(declared, at)


def _held_back(ledger: Ledger, cohort: Cohort[P], rows: pl.LazyFrame) -> pl.LazyFrame:
    entries = ledger.quarantine.entries([plan.sync_id for plan in cohort.plans])
    identities = [
        (entry.workspace_id, entry.identity)
        for entry in entries
        if entry.export == cohort.export.name
    ]
    wanted = pl.LazyFrame(
        identities, schema={"workspace_id": pl.Int64, "_identity": pl.String}, orient="row"
    ).unique()
    unit = cohort.model.timestamp_unit
    return (
        rows.with_columns(identity_expr(cohort.export, unit).alias("_identity"))
        .join(wanted, on=["workspace_id", "_identity"], how="semi")
        .drop("_identity")
    )

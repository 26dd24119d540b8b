"""Cohorts: plans that one scan of the source serves; and slices, what of it is read at a time.

A slice of an initial export holds as many rows of the served workspaces as fill one file, or as
fit in memory. That bounds what lies in the spool, what the encoder holds in memory (rows of many
workspaces stay there until their row groups are full), and what is encoded again after a crash. A
slice of changes holds as many as are netted and sorted in memory; most windows are one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Generic, TypeVar

import polars as pl

from cio_pipeline.changesets.parts import stretches_of
from cio_pipeline.contracts.declare import Export, SourceTable
from cio_pipeline.contracts.feeds import ALL_EXPORTS, changed_rows_at_once, facts_of
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.encode import ROW_GROUP, Shape, named_errors
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import Permanent, SourceError
from cio_pipeline.model.plans import Mode, Plan, PlanDraft
from cio_pipeline.model.slices import HashBucket, Part, Slice, Stretch
from cio_pipeline.ports import Source

INITIAL_WORKSPACES = 200
"""Workspaces that share one scan of all history.

One scan for more would give each of them more and smaller files, since its slices would hold fewer
rows of each; with ten million rows, all scans take about a quarter of an initial export.
"""

P = TypeVar("P", bound=PlanDraft)

MUCH = 10
"""How many times the rows of a workspace the average one has, if it is served before the others."""


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
    groups: dict[tuple[object, ...], list[P]] = {}
    for plan in plans:
        groups.setdefault(_likeness(plan), []).append(plan)
    told = [(tuple(map(str, likeness)), group) for likeness, group in groups.items()]
    return [
        Cohort(ALL_EXPORTS[some[0].export], tuple(some))
        for _, group in sorted(told, key=itemgetter(0))
        for some in _portions(group)
    ]


def _portions(plans: list[P]) -> Iterable[list[P]]:
    """The plans as they are, but as few workspaces at a time as memory asks for."""
    if plans[0].mode is not Mode.INITIAL:
        together = [plans] if plans[0].slice_rows is None else _few_rows(plans)
        return [some for few in together for some in _begun_alike(few)]
    workspaces = sorted({plan.workspace_id for plan in plans})
    # As many in each: what the largest portion holds in memory is the peak.
    number = -(-len(workspaces) // INITIAL_WORKSPACES)
    portions = [set(workspaces[start::number]) for start in range(number)]
    return [[plan for plan in plans if plan.workspace_id in some] for some in portions]


def _few_rows(plans: list[P]) -> list[list[P]]:
    """The plans workspace by workspace, so many together as are netted in memory.

    Whose changes are in slices is alone: its slices are its own.
    """
    model = plans[0]
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
    begun: defaultdict[int, list[datetime | None]] = defaultdict(list)
    found: defaultdict[int, list[P]] = defaultdict(list)
    for plan in plans:
        times = begun[plan.workspace_id]
        if plan.begun not in times:
            times.append(plan.begun)
        found[times.index(plan.begun)].append(plan)
    return found.values()


def _likeness(plan: PlanDraft) -> tuple[object, ...]:
    driving = ALL_EXPORTS[plan.export].source
    lower = plan.lower.tables.get(driving) if plan.lower else None
    whole = plan.slices == 1 and plan.mode is not Mode.INITIAL
    return (
        plan.export,
        plan.version,
        plan.timestamp_unit,
        plan.mode,
        lower,
        plan.upper.at,
        plan.floor,
        plan.rows_per_file,
        plan.fingerprint,
        plan.slices,
        plan.slice_rows is None if whole else plan.slice_rows,
        plan.producer,
        plan.contract,
        plan.until.at if plan.until else None,
        f"{plan.slice:09}" if isinstance(plan, Plan) else "",
        # What a retry sends differs from sync to sync, also within a workspace.
        plan.sync_id if plan.mode is Mode.RETRY else "",
        # The keys of messages are made with them.
        plan.stem if facts_of(plan.export).overwrites else "",
    )


def with_slices(
    source: Source, drafts: Sequence[PlanDraft], rows: int | None = None
) -> list[PlanDraft]:
    """The drafts of one export and cut, in slices where they read much.

    `rows` is how many a slice holds (None: what fills a file, or fits in memory). Raises the
    source's errors for initial ones.
    """
    initial: list[PlanDraft] = []
    since: dict[TableCut, list[PlanDraft]] = {}
    for draft in drafts:
        if reads_changes(draft):
            _, lower, _ = range_of(draft)
            since.setdefault(lower, []).append(draft)
        else:
            initial.append(draft)
    changes = (one for some in since.values() for one in _cut(source, some, rows))
    return [*(_of_history(source, initial, rows) if initial else ()), *changes]


def rest_of(source: Source, plan: PlanDraft) -> Sequence[Slice | None]:
    """What a plan has yet to read, in order; None stands for all of it.

    Raises SourceError if the table no longer has the slices that the plan was made for, and the
    source's other errors.
    """
    if plan.slice_rows is None:
        return [None]
    parts = _slices(source, plan)
    if len(parts) != plan.slices:
        table = ALL_EXPORTS[plan.export].source
        raise SourceError(
            f"Table {table} has {len(parts)} slices at version {plan.upper.tables[table].version}, "
            f"the plan of '{plan.export}' of sync '{plan.sync_id}' was made for {plan.slices}.",
            "Restore the log of the table as it was, or abandon the plan.",
        )
    return parts[plan.slice :] if isinstance(plan, Plan) else parts


def _slices(source: Source, plan: PlanDraft) -> Sequence[Slice]:
    export, rows = ALL_EXPORTS[plan.export], plan.slice_rows or 1
    if not reads_changes(plan):
        table = SOURCE_TABLES[export.source]
        return source.slices(table, plan.upper.tables[table.name], rows)
    if plan.slices == 1:
        return [Stretch()]
    if not facts_of(export.name).forwards:
        return _buckets(export, plan.slices)
    return _stretches(source.blocks(*range_of(plan), rows), plan, rows)


def _buckets(export: Export, number: int) -> list[Part]:
    """By entity, as far as it tells rows apart: the rows of one stay together, oldest first."""
    identity = SOURCE_TABLES[export.source].identity
    by = tuple(name for name in identity if name in export.entity_key)
    return [HashBucket(at, number, by) for at in range(number)]


def _stretches(blocks: pl.DataFrame, plan: PlanDraft, rows: int) -> Sequence[Part]:
    return stretches_of(blocks.filter(pl.col("workspace_id") == plan.workspace_id), rows)


def reads_changes(plan: PlanDraft) -> bool:
    """Whether a plan reads what changed, and not rows as they are at its upper cut."""
    return plan.mode not in {Mode.INITIAL, Mode.RETRY} and plan.lower is not None


def range_of(plan: PlanDraft) -> tuple[SourceTable, TableCut, TableCut]:
    """What changed of a plan's driving table; the plan is no initial one."""
    table = SOURCE_TABLES[ALL_EXPORTS[plan.export].source]
    lower = plan.lower or plan.upper
    return table, lower.tables[table.name], plan.upper.tables[table.name]


def _cut(source: Source, drafts: list[PlanDraft], wanted: int | None) -> list[PlanDraft]:
    """Drafts that read the same changes, in slices if these are many."""
    model = drafts[0]
    export = ALL_EXPORTS[model.export]
    rows = wanted or changed_rows_at_once(export)
    try:
        if source.changed_rows(*range_of(model)) <= rows:
            return drafts
        blocks = source.blocks(*range_of(model), rows)
    except Permanent:
        # It concerns these plans alone: who reads the changes is told so. After an error that
        # passes, many changes would be in one piece.
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


def _of_history(source: Source, drafts: Sequence[PlanDraft], rows: int | None) -> list[PlanDraft]:
    """Drafts that read all rows, one at least, in slices if these are many.

    Workspaces of few rows beside much larger ones are served in one piece: they would wait for the
    last slice of the largest.
    """
    model = drafts[0]
    export = ALL_EXPORTS[model.export]
    table, ours = SOURCE_TABLES[export.source], {draft.workspace_id for draft in drafts}
    cut = model.upper.tables[table.name]
    wanted = rows or _at_once(source, export, cut, len(ours))
    # Without reading any row: it is enough for small tables.
    if len(source.slices(table, cut, wanted)) == 1:
        return list(drafts)
    counted = source.rows_by_workspace(table, cut)
    with named_errors(counted, Shape(export, model.version, model.timestamp_unit, wanted)):
        counts = dict(counted.collect(engine="streaming").iter_rows())
    few = _few({workspace: counts.get(workspace, 0) for workspace in ours}, wanted)
    many = [counts.get(workspace, 0) for workspace in ours - few]
    of_cohort = sum(many) * min(len(many), INITIAL_WORKSPACES) // max(1, len(many))
    total = sum(counts.values())
    stretched = wanted * total // of_cohort if of_cohort else max(total, 1)
    number = len(source.slices(table, cut, stretched))
    if number == 1:
        return list(drafts)
    sliced = {"slices": number, "slice_rows": stretched}
    return [one if one.workspace_id in few else replace(one, **sliced) for one in drafts]


def _at_once(source: Source, export: Export, cut: TableCut, workspaces: int) -> int:
    """How many rows of served workspaces a slice holds: what fills a file, or fits in memory.

    Of a few workspaces no more than their row groups is held, however many rows there are.
    """
    most = source.rows_at_once(SOURCE_TABLES[export.source], cut)
    if most is None or min(workspaces, INITIAL_WORKSPACES) * ROW_GROUP <= most:
        return export.rows_per_file
    return min(export.rows_per_file, most)


def _few(rows: Mapping[int, int], most: int) -> frozenset[int]:
    """Workspaces that have much fewer rows than most, the smallest; so many rows in all."""
    average = sum(rows.values()) / len(rows)
    small = sorted((count, key) for key, count in rows.items() if count * MUCH <= average)
    sums = accumulate(count for count, _ in small)
    return frozenset(key for (_, key), so_far in zip(small, sums, strict=True) if so_far <= most)

"""Reconciliation: closed windows are recounted from the source, and what is missing is sent (O1).

Of each plan of a day the rows that its range of changes gives are counted again, and held against
the rows of the files that manifests list. Ranges of a table's versions that no plan covers are
counted, too: nothing should have changed in them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import polars as pl

from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.files.encode import Shape, named_errors
from cio_pipeline.files.spool import RESTORE as OF_RESTORES
from cio_pipeline.model.differences import Difference, OfDay, by_day
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import Mode, Plan, PlanState, SentSoFar
from cio_pipeline.model.volumes import DAY
from cio_pipeline.pipeline.heartbeat import all_claimed
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of, range_of, rest_of
from cio_pipeline.pipeline.planning.rows import changeset_of, forwarded_rows, in_force
from cio_pipeline.pipeline.recovery.replay import (
    Range,
    Replayed,
    Wanted,
    by_range,
    range_of_plan,
    send_again,
)
from cio_pipeline.pipeline.services import Services


@dataclass(frozen=True)
class Asked:
    """Which windows are recounted: those that end in (start, end], of some syncs or of all.

    With `keys`, delivered files are read, and an order-independent checksum of their rows' keys is
    compared as well.
    """

    start: datetime
    end: datetime
    sync_ids: Collection[str] | None = None
    keys: bool = False

    def settles(self, one: Difference) -> bool:
        """Whether what was found of a day is over unless it is found again."""
        sync_id, _, day = one.of_day
        whole = self.start <= day and day + DAY <= self.end
        # What cannot be recounted never may be: it is told until another day was looked at.
        again = (whole and (self.keys or not one.keys_differ)) or (one.wrong and day < self.start)
        return bool(again) and (self.sync_ids is None or sync_id in self.sync_ids)


def reconcile(services: Services, asked: Asked) -> list[tuple[Difference, Plan]]:
    """What differs, each with the plan whose range it is of; what cannot be recounted is told.

    First files are not recounted, nor what was rewritten or sent again since, nor what was sent to
    syncs that are disabled. What was found is kept, and is over once nothing is found any more.
    """
    served = [one for one in services.ledger.registry.all() if one.disabled_at is None]
    generations = {one.sync.id: one.generation for one in served}
    found: list[tuple[Difference, Plan]] = []
    for export in ALL_EXPORTS:
        plans = [
            plan
            for plan in services.ledger.sent.plans(export, asked.start, asked.end)
            if plan.generation == generations.get(plan.sync_id)
            and (asked.sync_ids is None or plan.sync_id in asked.sync_ids)
        ]
        parts = by_range(plans)
        first = [its[0] for its in parts.values()]
        ranges = _not_again(services, [*_within(first, asked), *_between(first)])
        found += list(_differences(services, ranges, parts, asked))
    known, days = services.ledger.looks.differences(), by_day(one for one, _ in found)
    over = {key for key, one in known.items() if asked.settles(one)} - days.keys()
    # That what differed cannot be counted any more repairs nothing.
    new = {key: one for key, one in days.items() if not one.wrong or known.get(key, one).wrong}
    if over or new:
        services.ledger.looks.keep_differences(over, new)
    return found


Parts: TypeAlias = Mapping[Range, Sequence[Plan]]
"""Plans by their range. A ledger that was rebuilt has one for each slice of a window."""


def _not_again(services: Services, plans: Sequence[Plan]) -> list[Plan]:
    """Those of some plans whose ranges were not sent again since."""
    again = {
        (export, *its)
        for export in {plan.export for plan in plans}
        for its in services.ledger.sent.again(export)
    }
    return [
        one
        for one in plans
        if (one.export, one.sync_id, one.lower.at if one.lower else None, one.upper.at) not in again
    ]


def _within(plans: Iterable[Plan], asked: Asked) -> Iterator[Plan]:
    for plan in plans:
        if plan.upper.at > asked.start and plan.lower is not None and plan.mode is not Mode.INITIAL:
            yield plan


def _between(plans: Sequence[Plan]) -> Iterator[Plan]:
    """Ranges of versions between the plans of a sync, as plans of no number."""
    for _, its in groupby(plans, key=lambda plan: plan.sync_id):
        for before, after in pairwise(its):
            table = ALL_EXPORTS[after.export].source
            if after.lower is None or table not in before.upper.tables:
                continue
            gap = replace(
                after, lower=before.upper, upper=after.lower, plan_id=0, mode=Mode.CHANGES
            )
            _, lower, upper = range_of(gap)
            if lower != upper:
                yield replace(gap, floor=None, slices=1, slice_rows=None)


@dataclass(frozen=True)
class _Count:
    """Rows, and the sum of their keys' hashes."""

    rows: int = 0
    keys: int = 0

    def __add__(self, other: "_Count") -> "_Count":
        return _Count(self.rows + other.rows, (self.keys + other.keys) % 2**64)


def _differences(
    services: Services, plans: Sequence[Plan], parts: Parts, asked: Asked
) -> Iterator[tuple[Difference, Plan]]:
    its = {range_of_plan(plan): parts.get(range_of_plan(plan), (plan,)) for plan in plans}
    ids = {part.plan_id for some in its.values() for part in some}
    sent, held = services.ledger.sent.rows(ids), services.ledger.sent.held(ids)
    rewritten = services.ledger.sent.rewritten(ids)
    anew = [
        replace(plan, state=PlanState.OPEN, slice=0, sent=SentSoFar())
        for plan in plans
        if rewritten.isdisjoint(part.plan_id for part in its[range_of_plan(plan)])
    ]
    for cohort in cohorts_of(anew):
        try:
            counts, wrong = _recounted(services, cohort), ""
        except CioError as error:
            counts, wrong = {}, str(error)
        for plan in cohort.plans:
            some = its[range_of_plan(plan)]
            one = Difference(
                plan.sync_id,
                plan.export,
                plan.lower.at if plan.lower else plan.upper.at,
                plan.upper.at,
                changed=counts.get(plan.workspace_id, _Count()).rows,
                sent=sum(sent.get(part.plan_id, 0) for part in some),
                # Where rows are forwarded, what was held back is counted among those that changed.
                held=sum(held.get(part.plan_id, 0) for part in some)
                if facts_of(plan.export).forwards
                else 0,
                wrong=wrong,
            )
            if asked.keys and not wrong and one.changed == one.sent + one.held:
                expected = counts.get(plan.workspace_id, _Count())
                one = replace(one, keys_differ=_other_keys(services, some, expected))
            if wrong or one.keys_differ or one.changed != one.sent + one.held:
                yield one, plan


def _recounted(services: Services, cohort: Cohort[Plan]) -> dict[int, _Count]:
    """The rows of each workspace of a cohort, from the source; raises its errors."""
    found: dict[int, _Count] = {}
    model, export = cohort.model, cohort.export
    shape = Shape(export, model.version, model.timestamp_unit, model.rows_per_file)
    for part in rest_of(services.source, model):
        if facts_of(export.name).forwards:
            rows = forwarded_rows(services.source, services.ledger, cohort, part)
            keys = pl.lit(0, dtype=pl.UInt64)
        else:
            source, ledger = services.source, services.ledger
            terms = in_force(services, model)
            rows = changeset_of(source, ledger, cohort, part, terms=terms).rows
            keys = _key(export.row_key)
        counted = rows.group_by("workspace_id").agg(pl.len(), keys.sum().alias("keys"))
        with named_errors(counted, shape):
            for workspace, count, its in counted.collect(engine="streaming").iter_rows():
                found[workspace] = found.get(workspace, _Count()) + _Count(count, its)
    return found


def _key(names: Collection[str]) -> pl.Expr:
    """A hash of a row's key, small enough that those of a file can be added up."""
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in names]
    return pl.concat_str(texts, separator="\n").hash() // 2**24


def _other_keys(services: Services, parts: Sequence[Plan], expected: _Count) -> bool:
    """Whether delivered files hold rows of other keys; what cannot be read tells nothing."""
    plan = parts[0]
    if facts_of(plan.export).forwards or not plan.plan_id:
        return False
    sync = services.ledger.registry.get(plan.sync_id).sync
    destination, found = services.destinations(sync), _Count()
    folder = f"{OF_RESTORES}reconcile-{uuid4().hex[:8]}"
    copy: Path = services.spool.folder(folder) / "copy"
    try:
        sealed = services.ledger.plans.sealed(parts)
        for file in (file for part in parts for file in sealed.get(part.plan_id, ())):
            destination.download(file.key, copy)
            keys = pl.scan_parquet(copy).select(
                pl.len(), _key(ALL_EXPORTS[plan.export].row_key).sum()
            )
            found += _Count(*keys.collect(engine="streaming").row(0))
    except CioError:
        return False
    finally:
        services.spool.discard(folder)
    return found.keys != expected.keys


def is_sent_again(one: Difference, plan: Plan) -> bool:
    """Whether a repair sends what differs; messages would replace themselves."""
    return not one.wrong and not facts_of(plan.export).overwrites


def repair(
    services: Services, differences: Iterable[tuple[Difference, Plan]]
) -> tuple[Replayed, ...]:
    """Send what differs again, in plans of their own: rows without a newer version by now.

    What was sent is over. Raises LeaseHeld, naming the run that works on it.
    """
    of_sync: dict[str, list[Plan]] = {}
    over: set[OfDay] = set()
    for one, plan in differences:
        if is_sent_again(one, plan):
            of_sync.setdefault(plan.sync_id, []).append(plan)
            over.add(one.of_day)
    done: list[Replayed] = []
    for sync_id, plans in sorted(of_sync.items()):
        wanted = Wanted(sync_id, plans[0].upper.at, plans[-1].upper.at)
        with all_claimed(services, sorted({(sync_id, plan.export) for plan in plans})) as held:
            if services.ledger.registry.get(sync_id).disabled_at is not None:
                continue
            # Another repair may have sent them since they were found.
            wanting = sorted(_not_again(services, plans), key=_place)
            for _, its in groupby(wanting, key=_place):
                done += send_again(services, held, wanted, list(its))
    left = {(one.outcome.sync_id, one.outcome.export) for one in done if one.outcome.error}
    services.ledger.looks.keep_differences({one for one in over if one[:2] not in left}, {})
    return tuple(done)


def accept(services: Services, differences: Iterable[tuple[Difference, Plan]]) -> None:
    """Tell no more of what differs: somebody knows of it. Another recount would find it again."""
    services.ledger.looks.keep_differences({one.of_day for one, _ in differences}, {})


def _place(plan: Plan) -> tuple[datetime, datetime, str]:
    return plan.upper.at, plan.lower.at if plan.lower else plan.upper.at, plan.export

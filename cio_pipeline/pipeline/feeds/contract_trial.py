"""Trying a data contract on what was committed in some time: nothing is sent or stored (O1)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import polars as pl

from cio_pipeline.changesets.quarantine import identities_of
from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.ledger.registry import Contracts
from cio_pipeline.model.data_contract import DataContract, Terms
from cio_pipeline.model.plans import Mode, Plan, PlanDraft, PlanState
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.slices import Slice
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.planning.cohorts import Cohort, rest_of, with_slices
from cio_pipeline.pipeline.planning.cuts import peek_cut, tables_of
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline.pipeline.planning.rows import changeset_of, in_force
from cio_pipeline.pipeline.services import Services

SAMPLES = 3
"""Rows that are named for each reason."""


@dataclass(frozen=True)
class HeldBack:
    """Rows that would be quarantined for one reason; `samples` are identities of a few."""

    reason: str
    rows: int
    samples: tuple[str, ...]


@dataclass(frozen=True)
class TriedExport:
    """What a contract does to the rows of one export: those that are sent, and the others."""

    export: str
    kept: int
    held_back: tuple[HeldBack, ...] = ()

    def with_more(self, other: "TriedExport") -> "TriedExport":
        """Both as one."""
        rows = Counter({one.reason: one.rows for one in self.held_back})
        samples = {one.reason: one.samples for one in self.held_back}
        for one in other.held_back:
            rows[one.reason] += one.rows
            samples[one.reason] = (*samples.get(one.reason, ()), *one.samples)[:SAMPLES]
        held = tuple(HeldBack(why, rows[why], samples[why]) for why in sorted(rows))
        return TriedExport(self.export, self.kept + other.kept, held)


def try_contract(
    services: Services,
    sync_id: str,
    contract: DataContract,
    since: datetime,
    until: datetime,
) -> list[TriedExport]:
    """What the contract would hold back of all that was committed from `since` until `until`.

    By export that it speaks of and that the sync sends. No salt is needed. Raises UnknownSync,
    InvalidConfig if `until` is to come, and the source's errors.
    """
    names = [name for name in ALL_EXPORTS if contract.terms(name) is not None]
    found: list[TriedExport] = []
    for state in services.ledger.registry.states(names, [sync_id]):
        terms = contract.terms(state.export)
        if terms is None or not state.switch.enabled:
            continue
        trying = _knowing(services, terms)
        total = TriedExport(state.export, 0)
        for plan in _drafts(trying, state, terms, since, until):
            for one in _tried(trying, plan):
                total = total.with_more(one)
        found.append(total)
    return found


@dataclass(frozen=True)
class _Tried(Contracts):
    """The ledger's contracts, and one that nobody has yet."""

    tried: Terms

    def terms(self, digest: str) -> Terms:
        return self.tried if digest == self.tried.digest else super().terms(digest)


def _knowing(services: Services, terms: Terms) -> Services:
    """The services as they would be if the terms were a sync's; what is hashed is not looked at."""
    contracts = _Tried(services.ledger.database, terms)
    ledger = replace(services.ledger, contracts=contracts)
    return replace(services, ledger=ledger, secret=_no_salt)


def _no_salt(_reference: str) -> str:
    return ""


def _drafts(
    services: Services, state: ExportState, terms: Terms, since: datetime, until: datetime
) -> Sequence[PlanDraft]:
    """What would be sent of that time; none if there was no table yet."""
    needed, driving = tables_of(state.export), ALL_EXPORTS[state.export].source
    lower, upper = (peek_cut(services, at, needed) for at in (since, until))
    if driving not in upper.tables:
        return ()
    mode = Mode.CHANGES if driving in lower.tables else Mode.INITIAL
    of_time = replace(
        draft(state, mode, upper),
        lower=lower if mode is Mode.CHANGES else None,
        contract=terms.digest,
    )
    return with_slices(services.source, [of_time], services.slice_rows)


def _tried(services: Services, plan: PlanDraft) -> Iterator[TriedExport]:
    of_plan = Plan(**vars(plan), plan_id=0, state=PlanState.OPEN)
    cohort = Cohort(ALL_EXPORTS[plan.export], (of_plan,))
    for part in rest_of(services.source, plan):
        if facts_of(plan.export).forwards:
            yield _encoded(services, cohort, part)
        else:
            yield _counted(services, cohort, part)


def _counted(services: Services, cohort: Cohort[Plan], part: Slice | None) -> TriedExport:
    found = changeset_of(
        services.source,
        services.ledger,
        cohort,
        part,
        terms=in_force(services, cohort.model),
    )
    by_reason = found.rejected.group_by("reason").agg(
        pl.col("count").sum(), pl.col("identity").head(SAMPLES)
    )
    kept, held = pl.collect_all([found.rows.select(pl.len()), by_reason], engine="streaming")
    rows = (HeldBack(why, count, tuple(some)) for why, count, some in held.iter_rows())
    return TriedExport(cohort.export.name, kept.item(), tuple(rows))


def _encoded(services: Services, cohort: Cohort[Plan], part: Slice | None) -> TriedExport:
    """What feeds that forward hold back shows as their rows are written."""
    folder, nothing = f"contract-check-{uuid4().hex[:8]}", identities_of(())
    try:
        made = MAKER_OF[cohort.export.name].encode(
            services, cohort, part, folder, retried=None, asked=nothing
        )
    finally:
        services.spool.discard(folder)
    held: dict[str, HeldBack] = {}
    for row in made.rejected:
        known = held.get(row.reason, HeldBack(row.reason, 0, ()))
        samples = (*known.samples, row.identity)[:SAMPLES]
        held[row.reason] = HeldBack(row.reason, known.rows + row.count, samples)
    kept = sum(file.rows for file in made.files)
    return TriedExport(cohort.export.name, kept, tuple(held.values()))

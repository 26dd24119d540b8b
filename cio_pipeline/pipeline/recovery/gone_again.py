"""Remembering again who stays anonymous, for a ledger that was lost (D4)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import polars as pl

from cio_pipeline.changesets.build import about_people
from cio_pipeline.changesets.rules import IS_GONE
from cio_pipeline.contracts.feeds import ALL_EXPORTS, exports_of_sync, facts_of
from cio_pipeline.files.encode import Shape, named_errors
from cio_pipeline.ledger.cuts import ERASED
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import Permanent
from cio_pipeline.model.plans import Mode, PlanDraft
from cio_pipeline.model.recovery import ListedPlan
from cio_pipeline.pipeline.planning.cohorts import Cohort, cohorts_of
from cio_pipeline.pipeline.planning.rows import (
    PEOPLE,
    changeset_of,
    remember_gone,
    remember_unknown,
)
from cio_pipeline.pipeline.recovery.bucket_chain import BucketChain
from cio_pipeline.pipeline.recovery.register_again import served_since
from cio_pipeline.pipeline.services import Services

_PART, _ERASED = "again", f"{ERASED} before"
_PERSON = "internal_customer_id"


def begun_told(
    services: Services, chain: BucketChain, plans: Iterable[ListedPlan]
) -> list[ListedPlan]:
    """Plans with the time that their export began at, where the chain does not tell of it.

    What began before the chain did, in another place, the ledger may know. Else it counts from the
    time that the sync is registered with again.
    """
    known = _begun(services, chain.sync.id)
    since = served_since(chain, services.clock())

    def told(draft: PlanDraft) -> PlanDraft:
        if draft.begun is not None or draft.mode is Mode.INITIAL:
            return draft
        return replace(draft, begun=known.get(draft.export) or since)

    return [replace(plan, draft=told(plan.draft)) for plan in plans]


def _begun(services: Services, sync_id: str) -> Mapping[str, datetime | None]:
    registry = services.ledger.registry
    if all(one.sync.id != sync_id for one in registry.all()):
        return {}
    return {state.export: state.begun for state in registry.states(list(ALL_EXPORTS), [sync_id])}


def first_of(
    chain: BucketChain, cuts: Mapping[datetime, Cut], plans: Iterable[ListedPlan]
) -> Iterator[PlanDraft]:
    """The plans that first files were made by; where a chain begins anew, as if they were there.

    Who was gone then is told by the source as it stood where the chain begins.
    """
    begins = chain.manifests[0][0] if chain.manifests else None
    moved = begins is not None and begins.begins is not None
    stood = {s.export: s.position for s in begins.exports} if begins and moved else {}
    seen: set[str] = set()
    for draft in (plan.draft for plan in plans):
        at = stood.get(draft.export)
        if draft.mode is Mode.INITIAL:
            yield draft
        elif at is not None and draft.begun is not None and draft.export not in seen:
            seen.add(draft.export)
            cut = replace(cuts[at], at=draft.begun)
            yield replace(draft, mode=Mode.INITIAL, lower=None, upper=cut, begun=None)


def remember_again(services: Services, plans: Iterable[PlanDraft]) -> None:
    """Keep whom the first files of some plans were to leave nameless, as their encoding does.

    The history that they were made of is read once more: only its rows tell of people whom the
    source did not know then. Where it was vacuumed, whoever is gone now counts as gone then.
    """
    first = [plan for plan in plans if plan.mode is Mode.INITIAL]
    for cohort in cohorts_of(plan for plan in first if about_people(ALL_EXPORTS[plan.export])):
        with suppress(Permanent):
            _remember(services, cohort)


def _remember(services: Services, cohort: Cohort[PlanDraft]) -> None:
    plan, seen = cohort.model, list[pl.DataFrame]()
    remember_gone(services.source, services.ledger, cohort.export, cohort.plans)
    rows = changeset_of(services.source, services.ledger, cohort, note=seen.append).rows
    shape = Shape(cohort.export, plan.version, plan.timestamp_unit, plan.rows_per_file)
    with named_errors(rows, shape):
        for _ in rows.collect_batches(engine="streaming", maintain_order=False):
            pass
    remember_unknown(services.ledger, plan, seen, _PART)


def rewritten(chain: BucketChain, since: int = 1) -> bool:
    """Whether files of a chain were rewritten from a manifest on: for somebody's erasure."""
    return any(one.superseded for one, _ in chain.manifests if one.ordinal >= since)


def stay_erased(services: Services, chain: BucketChain, plans: Iterable[ListedPlan]) -> None:
    """Keep anonymous whom files of a chain's workspace were rewritten for; the source's errors.

    No manifest tells who they are: whoever is gone by now counts as one of them, for each sync of
    the workspace, also where none of its files had named them.
    """
    now, workspace = services.clock(), chain.sync.workspace_id
    cut = services.source.look(PEOPLE, now, None, now).reached
    if cut is None:
        return
    people = services.source.snapshot(PEOPLE, cut, workspaces=[workspace])
    rows = people.filter(IS_GONE, pl.col("workspace_id") == workspace)
    gone = rows.select(pl.col(_PERSON).drop_nulls().unique()).collect(engine="streaming")
    begun = {(one.draft.export, one.draft.begun or one.draft.upper.at) for one in plans}
    begun |= {(export, served_since(chain, now)) for export in exports_of_sync(chain.sync)}
    begun |= set(_known(services, workspace))
    for export, at in sorted(begun):
        if about_people(ALL_EXPORTS[export]) and not facts_of(export).forwards:
            services.ledger.gone.keep(at, {workspace: gone[_PERSON].to_list()}, export, _ERASED)


def _known(services: Services, workspace: int) -> Iterator[tuple[str, datetime]]:
    """When the exports of a workspace's syncs began that the ledger knows."""
    registry = services.ledger.registry
    ids = [one.sync.id for one in registry.all() if one.sync.workspace_id == workspace]
    for state in registry.states(list(ALL_EXPORTS), ids) if ids else ():
        yield state.export, state.begun or state.registered.created_at

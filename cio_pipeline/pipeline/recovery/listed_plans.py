"""Plans as a chain of manifests tells them: what was sent, and what was under way."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from cio_pipeline.changesets.decide import HISTORY_LIMIT
from cio_pipeline.contracts.declare import History
from cio_pipeline.contracts.feeds import ALL_EXPORTS, stem_of
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.manifests import (
    ExportStatus,
    Manifest,
    ManifestFile,
)
from cio_pipeline.model.plans import Mode, PlanDraft, SealedFile, Series
from cio_pipeline.model.recovery import ListedPlan, UnderWay
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery.bucket_chain import (
    BucketChain,
    accounted_numbers,
    begin_told,
    start_told,
)
from cio_pipeline.verification.files import name_of


def under_way(
    chain: BucketChain, listed: Iterable[ListedPlan], cuts: Mapping[datetime, Cut]
) -> tuple[UnderWay, ...]:
    """Plans of which the last manifest says that some of their slices were delivered.

    They are told by what `listed` has of them; of one that has no file yet nothing is known. They
    began where the export stands.
    """
    plans = list(listed)
    found: list[UnderWay] = []
    # As of the same cut all history may have been sent before: what was finished is not of it.
    finished = {
        status.export: manifest.ordinal
        for manifest, _ in chain.manifests
        for status in manifest.exports
        if status.initial is None
    }
    for status in chain.statuses:
        its = [
            plan
            for plan in plans
            if _is_of(plan.draft, status, chain.generation)
            and plan.ordinal > finished.get(status.export, 0)
        ]
        if status.initial is None or not its:
            continue
        # Sent again from the start in the same window, an export has files of two plans.
        its = [plan for plan in its if plan.draft.mode is its[-1].draft.mode]
        files = tuple((plan.ordinal, file) for plan in its for file in plan.files)
        draft = replace(
            its[-1].draft,
            lower=cuts[status.position] if status.position else None,
            first=_first_numbers(chain, status.export, [file for _, file in files]),
            slices=status.initial.slices,
            slice_rows=status.initial.slice_rows,
        )
        found.append(UnderWay(draft, status.initial.done, files))
    return tuple(found)


def _is_of(draft: PlanDraft, status: ExportStatus, generation: int) -> bool:
    """Whether a plan is the one that an export's slices are of."""
    if status.initial is None or draft.mode in {Mode.RETRY, Mode.REPLAY}:
        return False
    same = (draft.export, draft.generation, draft.upper.at)
    return same == (status.export, generation, status.initial.at)


def _first_numbers(
    chain: BucketChain, export: str, files: Sequence[SealedFile]
) -> dict[Series, int]:
    """The numbers that a plan under way began with: those of its files, else the next ones."""
    accounted = accounted_numbers(chain)
    begun = {series: [f.sequence for f in files if f.series is series] for series in Series}
    return {
        series: min(begun[series], default=max(accounted.get((export, series), {0})) + 1)
        for series in Series
    }


def listed_plans(chain: BucketChain, first: int, cuts: Mapping[datetime, Cut]) -> list[ListedPlan]:
    """The plans whose files the manifests from number `first` on list, in their order.

    Where a plan began is what the manifests before it tell; rows per file are today's.
    """
    found: list[ListedPlan] = []
    reached: dict[tuple[str, int], datetime] = {}
    begun: dict[tuple[str, int], datetime] = {}
    for manifest, _ in chain.manifests:
        for plan in _plans(chain.sync, manifest, reached, cuts):
            pair = plan.draft.export, plan.draft.generation
            if plan.draft.mode is Mode.INITIAL:
                begun[pair] = plan.draft.upper.at
            else:
                draft = replace(plan.draft, begun=begun.get(pair))
                plan = replace(plan, draft=draft)  # noqa: PLW2901 - the same plan, more told
            if manifest.ordinal >= first:
                found.append(plan)
            if plan.draft.mode is not Mode.REPLAY:
                reached[pair] = plan.draft.upper.at
        for status in manifest.exports:
            if status.position is not None:
                reached[status.export, manifest.generation] = status.position
    return found


def _plans(
    sync: Sync,
    manifest: Manifest,
    reached: Mapping[tuple[str, int], datetime],
    cuts: Mapping[datetime, Cut],
) -> Iterator[ListedPlan]:
    stood = dict(reached)
    for _, group in groupby(manifest.files, key=_of_plan):
        files = list(group)
        one = files[0]
        lower = one.window_end if one.mode is Mode.RETRY else None
        if one.mode is Mode.REPLAY:
            lower = next((r.start for r in manifest.replay_of if r.export == one.export), None)
        elif one.mode not in {Mode.RETRY, Mode.INITIAL}:
            begin = begin_told(sync, manifest, one) if sync.feed.facts.forwards else None
            lower = reached.get((one.export, one.generation), begin)
            # No manifest tells that a position moved where nothing was sent, but this one may.
            lower = start_told(manifest, one) or _stands(manifest, one) or lower
        draft = _draft(sync, files, cuts.get(lower) if lower else None, cuts[one.window_end])
        if one.mode is Mode.REPLAY:
            until = _until(manifest, one, stood.get((one.export, one.generation)))
            draft = replace(draft, until=cuts.get(until) if until else None)
        sealed = tuple(map(_sealed, files))
        yield ListedPlan(draft, sealed, manifest.ordinal, manifest.created_at)


def _until(manifest: Manifest, file: ManifestFile, stood: datetime | None) -> datetime | None:
    """Where the export stood when a window was sent again; None where all its rows were.

    Unless the same manifest tells of what came next, that is where it stands.
    """
    if any(one.all_rows for one in manifest.replay_of if one.export == file.export):
        return None
    its = [one for one in manifest.files if one.export == file.export]
    if any(one.mode is not Mode.REPLAY for one in its):
        return stood
    told = (one.position for one in manifest.exports if one.export == file.export)
    return next(told, None) or stood


def _stands(manifest: Manifest, file: ManifestFile) -> datetime | None:
    """The position that a plan under way goes on from, if the file is of one."""
    return next(
        (
            status.position
            for status in manifest.exports
            if status.export == file.export
            and status.initial is not None
            and status.initial.at == file.window_end
        ),
        None,
    )


def _of_plan(file: ManifestFile) -> tuple[object, ...]:
    return file.export, file.generation, file.mode, file.window_end, file.fingerprint, file.version


def _draft(sync: Sync, files: list[ManifestFile], lower: Cut | None, upper: Cut) -> PlanDraft:
    one = files[0]
    export = ALL_EXPORTS[one.export]
    name = name_of(one.key)
    limited = one.mode is Mode.INITIAL and export.history is History.LAST_30_DAYS
    first = {series: [f.sequence for f in files if f.series is series] for series in Series}
    return PlanDraft(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        export=one.export,
        version=one.version,
        timestamp_unit=sync.timestamp_unit,
        stem=name.stem if name else stem_of(sync, export),
        generation=one.generation,
        mode=one.mode,
        lower=lower,
        upper=upper,
        floor=one.window_end - HISTORY_LIMIT if limited else None,
        first={series: min(numbers, default=1) for series, numbers in first.items()},
        rows_per_file=export.rows_per_file,
        fingerprint=one.fingerprint,
        layout=sync.layout,
        contract=one.contract,
    )


def _sealed(file: ManifestFile) -> SealedFile:
    return SealedFile(
        key=file.key,
        series=file.series,
        sequence=file.sequence,
        part=file.part,
        rows=file.rows,
        bytes=file.bytes,
        sha256=file.sha256,
        min_time=file.min_time,
        max_time=file.max_time,
        spool="lost",
    )

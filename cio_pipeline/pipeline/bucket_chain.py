"""What a sync's bucket tells of its past: manifests with their bytes, plans, positions, numbers.

Nothing is written here; `pipeline.rebuild` takes it into the ledger.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from cio_pipeline.changesets.decide import HISTORY_LIMIT
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import History
from cio_pipeline.contracts.fingerprint import fingerprint
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.errors import ManifestBroken
from cio_pipeline.model.manifests import (
    FOLDER,
    ExportStatus,
    InitialProgress,
    Manifest,
    ManifestFile,
    VoidSequence,
    manifest_key,
    parse,
)
from cio_pipeline.model.plans import Mode, PlanDraft, SealedFile, Series
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.recovery import ListedPlan, UnderWay
from cio_pipeline.pipeline.verify import verify
from cio_pipeline.pipeline.verify_files import name_of
from cio_pipeline.pipeline.verify_report import Kind, Problem

FAR = 10_000
"""Numbers so far beyond all listed ones are not ours: whoever put them is left alone."""

_LOST_FILES = frozenset(
    {
        Kind.MISSING,
        Kind.ALTERED,
        Kind.UNLISTED,
        Kind.DOUBLED,
        Kind.STRANGE,
        Kind.FOREIGN,
        Kind.CONTRACT,
    }
)


@dataclass(frozen=True)
class BucketChain:
    """A sync's manifests in order, each with its bytes, and the keys of all objects."""

    sync: Sync
    manifests: tuple[tuple[Manifest, bytes], ...]
    keys: tuple[str, ...]

    @property
    def generation(self) -> int:
        """The generation of the last manifest."""
        return self.manifests[-1][0].generation if self.manifests else 1

    @property
    def statuses(self) -> tuple[ExportStatus, ...]:
        """Where the exports stood last."""
        return self.manifests[-1][0].exports if self.manifests else ()


def read_chain(destination: Destination, sync: Sync) -> BucketChain:
    """A sync's chain, proven whole; files that are missing or altered do not matter here.

    Raises ManifestBroken if the manifests do not account for every number once, or are another
    sync's; the destination's errors.
    """
    report = verify(destination, deep=False)
    wrong = [problem for problem in report.problems if not _is_lost_file(problem)]
    if wrong:
        raise ManifestBroken(
            f"The manifests of sync '{sync.id}' do not tell all: {wrong[0].message} "
            f"({wrong[0].kind}, {len(wrong)} such).",
            "Mend the bucket, or register the sync under another id and path.",
        )
    bodies = [destination.get(manifest_key(n)) for n in range(1, report.manifests + 1)]
    keys = tuple(found.key for found in destination.list())
    chain = BucketChain(sync, tuple((parse(body), body) for body in bodies), keys)
    _require_own(chain)
    return chain


def _is_lost_file(problem: Problem) -> bool:
    own = problem.key and not problem.key.startswith(FOLDER)
    return problem.kind in _LOST_FILES or bool(problem.kind is Kind.UNREADABLE and own)


def _require_own(chain: BucketChain) -> None:
    sync = chain.sync
    for manifest, _ in chain.manifests:
        if (manifest.sync_id, manifest.workspace_id) != (sync.id, sync.workspace_id):
            raise ManifestBroken(
                f"The bucket of sync '{sync.id}' (workspace {sync.workspace_id}) holds manifests "
                f"of sync '{manifest.sync_id}' (workspace {manifest.workspace_id}).",
                "Check the sync's id, workspace and destination in the sync file.",
            )


def times_told(chain: BucketChain) -> set[datetime]:
    """The window ends that plans and positions of a chain refer to."""
    files = {file.window_end for manifest, _ in chain.manifests for file in manifest.files}
    statuses = [status for manifest, _ in chain.manifests for status in manifest.exports]
    positions = {status.position for status in statuses if status.position is not None}
    return files | positions | {s.initial.at for s in statuses if s.initial is not None}


def tables_told(chains: Iterable[BucketChain]) -> dict[datetime, dict[str, TableCut]]:
    """The versions of source tables that manifests name, by the end of the window."""
    found: dict[datetime, dict[str, TableCut]] = {}
    for chain in chains:
        for status in (s for manifest, _ in chain.manifests for s in manifest.exports):
            at = status.initial.at if status.initial else status.position
            if at is not None and status.source is not None:
                found.setdefault(at, {})[EXPORTS[status.export].source] = status.source
    return found


def initial_under_way(chain: BucketChain, cuts: Mapping[datetime, Cut]) -> tuple[UnderWay, ...]:
    """Initial exports that the last manifest says have delivered some of their slices."""
    found: list[UnderWay] = []
    for status in chain.statuses:
        if status.initial is None:
            continue
        files = [
            (manifest.ordinal, file)
            for manifest, _ in chain.manifests
            for file in manifest.files
            if (file.export, file.generation, file.mode)
            == (status.export, chain.generation, Mode.INITIAL)
        ]
        draft = _initial_draft(chain, status.export, status.initial, files, cuts)
        listed = tuple((ordinal, _sealed(file)) for ordinal, file in files)
        found.append(UnderWay(draft, status.initial.done, listed))
    return tuple(found)


def _initial_draft(
    chain: BucketChain,
    name: str,
    initial: InitialProgress,
    files: list[tuple[int, ManifestFile]],
    cuts: Mapping[datetime, Cut],
) -> PlanDraft:
    """The plan of an initial export under way, which goes on with the numbers that it began."""
    sync, export = chain.sync, EXPORTS[name]
    accounted = accounted_numbers(chain)
    begun = {
        series: [file.sequence for _, file in files if file.series is series] for series in Series
    }
    first = {
        series: min(begun[series], default=max(accounted.get((name, series), {0})) + 1)
        for series in Series
    }
    limited = export.history is History.LAST_30_DAYS
    return PlanDraft(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        export=name,
        version=sync.version,
        timestamp_unit=sync.timestamp_unit,
        stem=sync.stems.get(name, export.stem),
        generation=chain.generation,
        mode=Mode.INITIAL,
        lower=None,
        upper=cuts[initial.at],
        floor=initial.at - HISTORY_LIMIT if limited else None,
        first=first,
        rows_per_file=export.rows_per_file,
        fingerprint=fingerprint(export, sync.version, sync.timestamp_unit),
        slices=initial.slices,
        slice_rows=initial.slice_rows,
    )


def listed_plans(chain: BucketChain, first: int, cuts: Mapping[datetime, Cut]) -> list[ListedPlan]:
    """The plans whose files the manifests from number `first` on list, in their order.

    Where a plan began is what the manifests before it tell; rows per file are today's.
    """
    found: list[ListedPlan] = []
    reached: dict[tuple[str, int], datetime] = {}
    for manifest, _ in chain.manifests:
        for plan in _plans(chain.sync, manifest, reached, cuts):
            if manifest.ordinal >= first:
                found.append(plan)
            reached[plan.draft.export, plan.draft.generation] = plan.draft.upper.at
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
    for _, group in groupby(manifest.files, key=_of_plan):
        files = list(group)
        one = files[0]
        lower = one.window_end if one.mode is Mode.RETRY else None
        if one.mode not in {Mode.RETRY, Mode.INITIAL}:
            lower = reached.get((one.export, one.generation))
        draft = _draft(sync, files, cuts.get(lower) if lower else None, cuts[one.window_end])
        sealed = tuple(map(_sealed, files))
        yield ListedPlan(draft, sealed, manifest.ordinal, manifest.created_at)


def _of_plan(file: ManifestFile) -> tuple[object, ...]:
    return file.export, file.generation, file.mode, file.window_end, file.fingerprint, file.version


def _draft(sync: Sync, files: list[ManifestFile], lower: Cut | None, upper: Cut) -> PlanDraft:
    one = files[0]
    export = EXPORTS[one.export]
    name = name_of(one.key)
    limited = one.mode is Mode.INITIAL and export.history is History.LAST_30_DAYS
    first = {series: [f.sequence for f in files if f.series is series] for series in Series}
    return PlanDraft(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        export=one.export,
        version=one.version,
        timestamp_unit=sync.timestamp_unit,
        stem=name.stem if name else export.stem,
        generation=one.generation,
        mode=one.mode,
        lower=lower,
        upper=upper,
        floor=one.window_end - HISTORY_LIMIT if limited else None,
        first={series: min(numbers, default=1) for series, numbers in first.items()},
        rows_per_file=export.rows_per_file,
        fingerprint=one.fingerprint,
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


def accounted_numbers(chain: BucketChain) -> dict[tuple[str, Series], set[int]]:
    """The numbers that manifests list or declare void, by export and series."""
    found: dict[tuple[str, Series], set[int]] = {}
    for manifest, _ in chain.manifests:
        for one in (*manifest.files, *manifest.void):
            found.setdefault((one.export, one.series), set()).add(one.sequence)
    return found


def numbers_in_bucket(chain: BucketChain) -> dict[tuple[str, Series], set[int]]:
    """The numbers of all objects that are named like files of the sync."""
    stems = {chain.sync.stems.get(name, export.stem): name for name, export in EXPORTS.items()}
    found: dict[tuple[str, Series], set[int]] = {}
    for name in filter(None, map(name_of, chain.keys)):
        if name.stem in stems and name.workspace_id == chain.sync.workspace_id:
            found.setdefault((stems[name.stem], name.series), set()).add(name.sequence)
    return found


def lost_numbers(
    found: Mapping[tuple[str, Series], Iterable[int]],
    accounted: Mapping[tuple[str, Series], Iterable[int]],
) -> tuple[VoidSequence, ...]:
    """Numbers up to the largest found that nothing accounts for: they may have been used."""
    lost: list[VoidSequence] = []
    for (export, series), numbers in sorted(found.items()):
        known = set(accounted.get((export, series), ()))
        last = max(known, default=0)
        top = max((number for number in numbers if number <= last + FAR), default=0)
        gaps = sorted(set(range(1, top + 1)) - known)
        lost += [VoidSequence(export, series, number) for number in gaps]
    return tuple(lost)

"""What a sync's bucket tells of its past: manifests with their bytes, plans, positions, numbers.

Nothing is written here; `pipeline.recovery.catch_up` takes it into the ledger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import ManifestBroken
from cio_pipeline.model.manifests import (
    FOLDER,
    ExportStatus,
    Manifest,
    ManifestFile,
    VoidSequence,
    as_they_lie,
    manifest_key,
    parse_manifest,
)
from cio_pipeline.model.plans import Series
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.makers import MAKERS
from cio_pipeline.ports import Destination
from cio_pipeline.verification.report import Problem, ProblemKind
from cio_pipeline.verification.verify import verify

FAR = 10_000
"""Numbers so far beyond all listed ones are not ours: whoever put them is left alone."""

_LOST_FILES = frozenset(
    {
        ProblemKind.MISSING,
        ProblemKind.ALTERED,
        ProblemKind.UNLISTED,
        ProblemKind.DOUBLED,
        ProblemKind.STRANGE,
        ProblemKind.FOREIGN,
        ProblemKind.CONTRACT,
    }
)


@dataclass(frozen=True)
class BucketChain:
    """A sync's manifests in order, each with its bytes, and the keys of all objects.

    Files are told as they lie there now, also where a later manifest rewrote them.
    """

    sync: Sync
    manifests: tuple[tuple[Manifest, bytes], ...]
    keys: tuple[str, ...]

    @property
    def generation(self) -> int:
        """The generation of the last manifest."""
        return self.manifests[-1][0].generation if self.manifests else 1

    @property
    def first(self) -> int:
        """The ordinal that the chain begins with in this bucket."""
        return self.manifests[0][0].ordinal if self.manifests else 1

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
    ordinals = range(report.first, report.manifests + 1)
    bodies = [destination.get(manifest_key(ordinal)) for ordinal in ordinals]
    keys = tuple(found.key for found in destination.list())
    manifests = as_they_lie([parse_manifest(body) for body in bodies])
    chain = BucketChain(sync, tuple(zip(manifests, bodies, strict=True)), keys)
    _require_own(chain)
    return chain


def _is_lost_file(problem: Problem) -> bool:
    own = problem.key and not problem.key.startswith(FOLDER)
    return problem.kind in _LOST_FILES or bool(problem.kind is ProblemKind.UNREADABLE and own)


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
    listed = [file for manifest, _ in chain.manifests for file in manifest.files]
    files = {file.window_end for file in listed}
    if chain.sync.feed.facts.forwards:
        files |= {
            begin_told(chain.sync, manifest, file)
            for manifest, _ in chain.manifests
            for file in manifest.files
        }
    files |= {one.start for manifest, _ in chain.manifests for one in manifest.replay_of}
    statuses = [status for manifest, _ in chain.manifests for status in manifest.exports]
    positions = {status.position for status in statuses if status.position is not None}
    return files | positions | {s.initial.at for s in statuses if s.initial is not None}


def begin_told(sync: Sync, manifest: Manifest, first: ManifestFile) -> datetime:
    """Where an export that forwards began, by the first file of a generation.

    Manifests of earlier releases do not say it: it is the start of what the sync's cadence sends at
    a time, unless its first run came late.
    """
    told = start_told(manifest, first)
    if told is not None:
        return told
    last = first.window_end - timedelta(microseconds=1)
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    return last - (last - midnight) % sync.cadence.length


def start_told(manifest: Manifest, file: ManifestFile) -> datetime | None:
    """Where what changed that a file holds begins, if the manifest tells it."""
    which = file.export, file.window_end
    return next((one.start for one in manifest.since if (one.export, one.end) == which), None)


def tables_told(chains: Iterable[BucketChain]) -> dict[datetime, dict[str, TableCut]]:
    """The versions of source tables that manifests name, by the end of the window."""
    found: dict[datetime, dict[str, TableCut]] = {}
    for chain in chains:
        for status in (s for manifest, _ in chain.manifests for s in manifest.exports):
            told = [(status.initial.at if status.initial else status.position, status.source)]
            told += [(status.position, status.initial.since)] if status.initial else []
            for at, cut in told:
                if at is not None and cut is not None:
                    found.setdefault(at, {})[ALL_EXPORTS[status.export].source] = cut
        for one in (one for manifest, _ in chain.manifests for one in manifest.since):
            if one.source is not None:
                found.setdefault(one.start, {})[ALL_EXPORTS[one.export].source] = one.source
    return found


def accounted_numbers(chain: BucketChain) -> dict[tuple[str, Series], set[int]]:
    """The numbers that manifests list or declare void, by export and series."""
    found: dict[tuple[str, Series], set[int]] = {}
    for manifest, _ in chain.manifests:
        for one in (*manifest.files, *manifest.void):
            found.setdefault((one.export, one.series), set()).add(one.sequence)
    return found


def numbers_in_bucket(chain: BucketChain) -> Mapping[tuple[str, Series], set[int]]:
    """The numbers of all objects that are named like files of the sync."""
    return MAKERS[chain.sync.feed].numbers(chain.sync, chain.keys)


def lost_numbers(
    found: Mapping[tuple[str, Series], Iterable[int]],
    accounted: Mapping[tuple[str, Series], Iterable[int]],
    begun: Mapping[tuple[str, Series], int],
) -> tuple[VoidSequence, ...]:
    """Numbers up to the largest found that nothing accounts for: they may have been used.

    `begun` are the numbers that the chain began with, where that is not 1.
    """
    lost: list[VoidSequence] = []
    for (export, series), numbers in sorted(found.items()):
        known = set(accounted.get((export, series), ()))
        first = begun.get((export, series), 1)
        last = max(known, default=first - 1)
        top = max((number for number in numbers if number <= last + FAR), default=0)
        gaps = sorted(set(range(first, top + 1)) - known)
        lost += [VoidSequence(export, series, number) for number in gaps]
    return tuple(lost)

"""Files that manifests list: whether they lie there, and whether their numbers have gaps (O1)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.looks import BucketLook
from cio_pipeline.model.manifests import Manifest, ManifestFile, manifest_key
from cio_pipeline.model.sync import Sync

NAMED = 3
"""Keys and numbers that a finding tells."""


def missing_files(
    manifests: Iterable[Manifest],
    there: Collection[str],
    upto: str | None,
    expired_before: datetime | None,
) -> Iterator[ManifestFile]:
    """Listed files that are not among the keys `there`, which were listed up to key `upto`.

    None: all were. Files of manifests made before `expired_before` may be gone.
    """
    for manifest in manifests:
        if expired_before is None or manifest.created_at >= expired_before:
            for file in manifest.files:
                if file.key not in there and (upto is None or file.key <= upto):
                    yield file


def missing_manifests(
    manifests: Iterable[Manifest],
    there: Collection[str],
    upto: str | None,
    expired_before: datetime | None,
) -> Iterator[str]:
    """Keys of manifests that do not lie there, told like those of the files that they list."""
    for manifest in manifests:
        key = manifest_key(manifest.ordinal)
        kept = expired_before is None or manifest.created_at >= expired_before
        if kept and key not in there and (upto is None or key <= upto):
            yield key


def told_missing(look: BucketLook, sync: Sync) -> Finding:
    """What a look found missing, until the next look finds it there."""
    named = ", ".join(look.named[:NAMED])
    more = f" and {look.missing - NAMED:,} more" if look.missing > NAMED else ""
    return Finding(
        "missing_files",
        Severity.ERROR,
        f"{look.missing:,} delivered files are not in the bucket any more: {named}{more}.",
        "Somebody, or a rule of the bucket, removed them; `files_expire_after` says when they may "
        "go.",
        f"cio-pipeline export --restore --sync {sync.id}",
        sync.id,
        sync.owner,
    )


def told_odd(look: BucketLook, sync: Sync) -> Iterator[Finding]:
    """Numbers that no manifest lists or calls void, and keys that several list."""
    for problem, found in (
        ("in no manifest and not void", look.gaps),
        ("in several manifests", look.twice),
    ):
        if found:
            more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
            yield Finding(
                "sequences",
                Severity.ERROR,
                f"Files are {problem}: {', '.join(found[:NAMED])}{more}.",
                "The ledger was set back or changed by hand, or two ledgers send into one place.",
                f"cio-pipeline verify {sync.id}",
                sync.id,
                sync.owner,
                about=problem,
            )


def gaps_of(manifests: Sequence[Manifest]) -> list[str]:
    """Numbers between those of successive manifests that none of them lists or voids."""
    numbers: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for manifest in manifests:
        for one in (*manifest.files, *manifest.void):
            numbers[one.export, one.series].add(one.sequence)
    return [
        f"{export} ({series}) {number}"
        for (export, series), its in sorted(numbers.items())
        for number in sorted(set(range(min(its), max(its))) - its)
    ]


def listed_twice(sync: Sync, manifests: Sequence[Manifest]) -> list[str]:
    """Keys that several manifests list; none where objects are put in place of others."""
    if sync.feed.facts.overwrites:
        return []
    listed: dict[str, int] = {}
    return [
        file.key
        for manifest in manifests
        for file in manifest.files
        if listed.setdefault(file.key, manifest.ordinal) != manifest.ordinal
    ]

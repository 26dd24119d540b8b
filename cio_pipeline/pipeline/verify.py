"""Verification: what a sync's bucket and manifests alone prove of its completeness (D10).

Nothing is written, and no ledger is read but for the manifests of a sync that keeps them there
only. A broken bucket raises nothing: what is wrong is named.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cio_pipeline.model.errors import CioError, ObjectArchived
from cio_pipeline.model.manifests import FOLDER, Manifest, ManifestFile
from cio_pipeline.pipeline.feeds.makers import MAKERS
from cio_pipeline.pipeline.verification.chain import (
    Link,
    begins_anew,
    check_chain,
    read_links,
    split_at_beginning,
    stored_links,
)
from cio_pipeline.pipeline.verification.files import last_of_keys, name_of
from cio_pipeline.pipeline.verification.report import (
    RESTORE,
    RESTORE_ALL,
    Finding,
    Kind,
    Problem,
    VerifyReport,
    said,
)
from cio_pipeline.pipeline.verification.sequences import check_sequences
from cio_pipeline.pipeline.verification.unlisted import Bucket, check_unlisted
from cio_pipeline.ports import Destination

Progress = Callable[[int, int], None]
"""Called with the number of files checked and of all."""

Stored = Callable[[], Sequence[tuple[int, bytes]]]
"""Gives a sync's manifests as its ledger holds them: ordinal and bytes, in order."""

_TWICE = "Two entries of the manifests list it."
_MISSING = (
    f"It is listed, but not there. {RESTORE} "
    "If readers delete what they loaded, set the sync's `files_expire_after`."
)


@dataclass
class _Tally:
    """What has been found so far."""

    findings: list[Finding] = field(default_factory=list[Finding])
    files: int = 0
    rows: int = 0
    bytes: int = 0
    expired: int = 0
    archived: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class _Check:
    """What every listed file is held against. Files put before `expired_before` may be gone."""

    destination: Destination
    sizes: Mapping[str, int]
    deep: bool
    expired_before: datetime | None
    copy: Path


def verify(
    destination: Destination,
    deep: bool = True,  # noqa: FBT001, FBT002 (fixed by the commands that call it)
    progress: Progress | None = None,
    *,
    expire_days: int | None = None,
    now: datetime | None = None,
    scratch: Path | None = None,
    stored: Stored | None = None,
    stems: Mapping[str, str] | None = None,
) -> VerifyReport:
    """Prove what lies in a sync's destination, or name what is wrong. Never raises for a bucket.

    `deep` reads every file (digest, rows, contract, workspace); otherwise, and of archived files,
    only names and sizes are checked. With `expire_days` and `now`, files older than that count as
    expired when absent. Files are copied into `scratch` one at a time, by default the system's
    temporary folder. `stored` gives the manifests of a sync whose bucket has none, and its errors
    are raised; `stems` are those of the sync that differ from the contract's, by export.
    """
    tally = _Tally()
    # Manifests first: what a manifest lists was put before it, so the list of objects has it.
    bodies = stored() if stored else None
    try:
        links, broken = _links_in(destination) if bodies is None else stored_links(bodies)
        sizes = {o.key: o.size for o in destination.list()}
    except CioError as error:
        text = f"The destination cannot be listed. {said(error)}"
        unreadable = _Tally([Finding(Problem(Kind.UNREADABLE, "", text), 1)])
        return _report((), unreadable, (), from_ledger=bodies is not None)
    earlier, links = split_at_beginning(links)
    sizes = _without(sizes, earlier)
    manifests = [link.manifest for link in links if link.manifest]
    tally.findings += [*broken, *check_chain(links), *check_sequences(manifests)]
    expired_before = now - timedelta(days=expire_days) if now and expire_days else None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        check = _Check(destination, sizes, deep, expired_before, Path(folder) / "copy")
        _check_files(check, manifests, tally, progress or _silent)
    bucket = Bucket(destination, sizes, manifests, stems or {}, deep)
    judge = MAKERS[manifests[-1].feed].unlisted if manifests else None
    unlisted = check_unlisted(bucket, judge)
    tally.findings += [Finding(problem, None) for problem in unlisted.problems]
    warnings = (*_archived(tally.archived), *unlisted.warnings)
    return _report(links, tally, warnings, from_ledger=bodies is not None)


def _links_in(destination: Destination) -> tuple[tuple[Link, ...], list[Finding]]:
    return read_links(destination, [o.key for o in destination.list(FOLDER)])


def _without(sizes: Mapping[str, int], earlier: Sequence[Link]) -> dict[str, int]:
    """The objects but for those of the chain that ended before this one began anew here."""
    gone = {file.key for link in earlier if link.manifest for file in link.manifest.files}
    return {key: size for key, size in sizes.items() if key not in gone}


def _silent(_done: int, _all: int) -> None:
    pass


def _check_files(
    check: _Check, manifests: list[Manifest], tally: _Tally, progress: Progress
) -> None:
    total = sum(len(m.files) for m in manifests)
    last = last_of_keys(manifests)
    seen: set[str] = set()
    exports: dict[str, str] = {}
    done = 0
    for manifest in manifests:
        for file in manifest.files:
            problems = list(_repeated(file, seen, exports)) if file.key not in last else []
            if last.get(file.key, file) is file and not any(
                p.kind is Kind.LISTED_TWICE for p in problems
            ):
                problems += _check_file(check, manifest, file, tally)
            tally.findings += [Finding(p, manifest.ordinal) for p in problems]
            done += 1
            progress(done, total)


def _repeated(file: ManifestFile, seen: set[str], exports: dict[str, str]) -> Iterator[Problem]:
    """Whether a key was listed before, or its stem belongs to another export."""
    if file.key in seen:
        yield Problem(Kind.LISTED_TWICE, file.key, f"{_TWICE} {RESTORE_ALL}")
    seen.add(file.key)
    name = name_of(file.key)
    if name and exports.setdefault(name.stem, file.export) != file.export:
        other = exports[name.stem]
        text = f"It is of {file.export}, but its stem is that of {other}. {RESTORE_ALL}"
        yield Problem(Kind.MISNAMED, file.key, text)


def _check_file(
    check: _Check, manifest: Manifest, file: ManifestFile, tally: _Tally
) -> list[Problem]:
    """Check one file and count it if it is whole, or expired."""
    maker = MAKERS[manifest.feed]
    problems = list(maker.check_name(file, manifest.workspace_id))
    size = check.sizes.get(file.key)
    if size is None:
        # By the manifest's time, since windows may lie far back: a file was put shortly before it.
        if check.expired_before and manifest.created_at < check.expired_before:
            tally.expired += 1
        else:
            problems.append(Problem(Kind.MISSING, file.key, _MISSING))
        return problems
    if size != file.bytes:
        text = f"It has {size} bytes, {file.bytes} were delivered. {RESTORE}"
        return [*problems, Problem(Kind.ALTERED, file.key, text)]
    if check.deep:
        try:
            problems += maker.check_bytes(
                check.destination, file, manifest.workspace_id, check.copy
            )
        except ObjectArchived:
            tally.archived.append(file.key)
    if not problems:
        tally.files += 1
        tally.rows += file.rows
        tally.bytes += file.bytes
    return problems


def _archived(keys: Sequence[str]) -> Iterator[Problem]:
    if keys:
        text = (
            f"{len(keys)} file{'' if len(keys) == 1 else 's'} from this one on lie in an archive "
            "class: names and sizes are right, bytes were not read. Restore them in the bucket to "
            "have them read."
        )
        yield Problem(Kind.ARCHIVED, keys[0], text)


def _report(
    links: tuple[Link, ...], tally: _Tally, warnings: tuple[Problem, ...], *, from_ledger: bool
) -> VerifyReport:
    first = next((link.manifest for link in links if link.manifest), None)
    top = links[-1].ordinal if links else 0
    broken = [f.ordinal for f in tally.findings if f.ordinal is not None]
    return VerifyReport(
        sync_id=first.sync_id if first else None,
        workspace_id=first.workspace_id if first else None,
        manifests=top,
        first=links[0].ordinal if links and begins_anew(links[0]) else 1,
        complete_up_to=min([top, *(ordinal - 1 for ordinal in broken)]),
        files=tally.files,
        rows=tally.rows,
        bytes=tally.bytes,
        expired=tally.expired,
        problems=tuple(f.problem for f in tally.findings),
        warnings=warnings,
        from_ledger=from_ledger,
    )

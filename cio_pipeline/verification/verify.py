"""Verification: what a sync's bucket and manifests alone prove of its completeness (D10).

Nothing is written to it, and no ledger is read; whoever has one may say which manifests it knows. A
broken bucket raises nothing: what is wrong is named.
"""

import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cio_pipeline.model.errors import CioError, ObjectArchived
from cio_pipeline.model.manifests import FOLDER, Manifest, ManifestFile, manifest_key
from cio_pipeline.ports import Destination
from cio_pipeline.verification.files import last_of_keys, name_of
from cio_pipeline.verification.judges import JUDGES
from cio_pipeline.verification.links import (
    NONE_KNOWN,
    Link,
    as_rewritten,
    begins_anew,
    check_chain,
    read_links,
    split_at_beginning,
    stored_links,
)
from cio_pipeline.verification.proven import Proven
from cio_pipeline.verification.report import (
    RESTORE,
    RESTORE_ALL,
    Finding,
    Problem,
    ProblemKind,
    VerifyReport,
    said,
)
from cio_pipeline.verification.sequences import check_sequences
from cio_pipeline.verification.unlisted import BucketContents, Unlisted, check_unlisted

FilesChecked = Callable[[int, int], None]
"""Called with the number of files checked and of all."""

Stored = Callable[[], Sequence[tuple[int, bytes]]]
"""Gives a sync's manifests as its ledger holds them: ordinal and bytes, in order."""

FILES_AT_ONCE = 4
"""Files that are read at a time; each is copied into the temporary folder meanwhile."""

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
    archived: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


@dataclass(frozen=True)
class _Check:
    """What every listed file is held against. Files put before `expired_before` may be gone.

    Of what is `proven`, only those `rewritten` since are read again.
    """

    destination: Destination
    sizes: Mapping[str, int]
    deep: bool
    expired_before: datetime | None
    scratch: Path
    rewritten: Collection[str]
    acknowledged: int = 0
    proven: bool = False


def verify(
    destination: Destination,
    deep: bool = True,  # noqa: FBT001, FBT002 (fixed by the commands that call it)
    progress: FilesChecked | None = None,
    *,
    expire_days: int | None = None,
    now: datetime | None = None,
    stored: Stored | None = None,
    stems: Mapping[str, str] | None = None,
    proven: Proven | None = None,
    acknowledged: int = 0,
    known: range = NONE_KNOWN,
) -> VerifyReport:
    """Prove what lies in a sync's destination, or name what is wrong. Never raises for a bucket.

    `deep` reads every file (digest, rows, contract, workspace); otherwise, and of archived files,
    only names and sizes. With `expire_days` and `now`, files older than that count as expired when
    absent, as do those up to the manifest that is `acknowledged`. What was `proven` before is
    looked at as if not `deep`; what is proven now is kept there.
    `stored` gives the manifests of a sync that keeps them in its ledger, whose errors are raised;
    those that are `known` to have been put are missing if they do not lie there.
    """
    bodies = stored() if stored else None
    try:
        links, broken, sizes = _laid(destination, bodies, proven)
    except CioError as error:
        return _unreadable(error, from_ledger=bodies is not None)
    links, rewritten = as_rewritten(links)
    manifests = [one.manifest for one in links if one.manifest]
    tally = _Tally([*broken, *check_chain(links, known=known), *check_sequences(manifests)])
    expired = now - timedelta(days=expire_days) if now and expire_days else None
    with tempfile.TemporaryDirectory() as folder:
        check = _Check(destination, sizes, deep, expired, Path(folder), rewritten, acknowledged)
        _check_files(check, links, tally, progress or _silent)
    warned = _warned(tally, BucketContents(destination, sizes, manifests, stems or {}, deep))
    report = _report(links, tally, warned, known, from_ledger=bodies is not None)
    if proven is not None and deep and bodies is None:
        _keep(proven, links, min([report.complete_up_to, *(n - 1 for n, _ in tally.archived)]))
    return report


def _unreadable(error: CioError, *, from_ledger: bool) -> VerifyReport:
    text = f"The destination cannot be listed. {said(error)}"
    finding = Finding(Problem(ProblemKind.UNREADABLE, "", text), 1)
    return _report((), _Tally([finding]), (), NONE_KNOWN, from_ledger=from_ledger)


def _laid(
    destination: Destination, bodies: Sequence[tuple[int, bytes]] | None, proven: Proven | None
) -> tuple[tuple[Link, ...], list[Finding], Mapping[str, int]]:
    """The chain as it goes on where it lies now, what is broken of it, and the sizes of objects."""
    # Manifests first: what a manifest lists was put before it, so the list of objects has it.
    if bodies is None:
        of_chain = {found.key: found.size for found in destination.list(FOLDER)}
        known: Mapping[int, bytes] = proven.bodies() if proven is not None else {}
        known = {n: body for n, body in known.items() if of_chain.get(manifest_key(n)) == len(body)}
        links, broken = read_links(destination, of_chain, known)
    else:
        links, broken = stored_links(bodies)
    sizes = {found.key: found.size for found in destination.list()}
    earlier, links = split_at_beginning(links)
    return links, broken, _without(sizes, earlier)


def _unlisted(bucket: BucketContents) -> Unlisted:
    judge = JUDGES[bucket.manifests[-1].feed].unlisted if bucket.manifests else None
    return check_unlisted(bucket, judge)


def _warned(tally: _Tally, bucket: BucketContents) -> tuple[Problem, ...]:
    """What is no proof of harm; what is, of the objects that no manifest lists, is counted."""
    unlisted = _unlisted(bucket)
    tally.findings += (Finding(problem, None) for problem in unlisted.problems)
    return (*_archived([key for _, key in tally.archived]), *unlisted.warnings)


def _keep(proven: Proven, links: Sequence[Link], up_to: int) -> None:
    """Keep the manifests of whole files for the next verification."""
    new = [(one.ordinal, one.body) for one in links if one.ordinal <= up_to and not one.proven]
    anew = not any(one.proven for one in links)
    proven.keep([(ordinal, body) for ordinal, body in new if body is not None], anew=anew)


def _without(sizes: Mapping[str, int], earlier: Sequence[Link]) -> dict[str, int]:
    """The objects but for those of the chain that ended before this one began anew here."""
    gone = {file.key for link in earlier if link.manifest for file in link.manifest.files}
    return {key: size for key, size in sizes.items() if key not in gone}


def _silent(_done: int, _all: int) -> None:
    pass


def _check_files(
    check: _Check, links: Sequence[Link], tally: _Tally, progress: FilesChecked
) -> None:
    manifests = [(link, link.manifest) for link in links if link.manifest]
    total = sum(len(manifest.files) for _, manifest in manifests)
    last = last_of_keys(manifest for _, manifest in manifests)
    seen: set[str] = set()
    exports: dict[str, str] = {}
    done = 0
    with ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="files") as pool:
        for link, manifest in manifests:
            of_link = replace(check, proven=link.proven)
            repeated = [
                list(_repeated(file, seen, exports)) if file.key not in last else []
                for file in manifest.files
            ]
            work = partial(_checked, of_link, manifest, last)
            for found in pool.map(work, manifest.files, repeated):
                _add(tally, manifest.ordinal, found)
                done += 1
                progress(done, total)


@dataclass(frozen=True)
class _Checked:
    """What is wrong with a listed file; whether it is whole, expired, or could not be read."""

    file: ManifestFile
    problems: list[Problem]
    whole: bool = False
    expired: bool = False
    archived: bool = False


def _add(tally: _Tally, ordinal: int, found: _Checked) -> None:
    tally.findings += [Finding(problem, ordinal) for problem in found.problems]
    tally.expired += found.expired
    if found.archived:
        tally.archived.append((ordinal, found.file.key))
    if found.whole:
        tally.files += 1
        tally.rows += found.file.rows
        tally.bytes += found.file.bytes


def _checked(
    check: _Check,
    manifest: Manifest,
    last: Mapping[str, ManifestFile],
    file: ManifestFile,
    repeated: list[Problem],
) -> _Checked:
    """One file, unless it is another entry's: listed twice, or replaced by a later one."""
    twice = any(problem.kind is ProblemKind.LISTED_TWICE for problem in repeated)
    if last.get(file.key, file) is not file or twice:
        return _Checked(file, repeated)
    found = _check_file(check, manifest, file)
    return replace(found, problems=[*repeated, *found.problems])


def _repeated(file: ManifestFile, seen: set[str], exports: dict[str, str]) -> Iterator[Problem]:
    """Whether a key was listed before, or its stem belongs to another export."""
    if file.key in seen:
        yield Problem(ProblemKind.LISTED_TWICE, file.key, f"{_TWICE} {RESTORE_ALL}")
    seen.add(file.key)
    name = name_of(file.key)
    if name and exports.setdefault(name.stem, file.export) != file.export:
        other = exports[name.stem]
        text = f"It is of {file.export}, but its stem is that of {other}. {RESTORE_ALL}"
        yield Problem(ProblemKind.MISNAMED, file.key, text)


def _check_file(check: _Check, manifest: Manifest, file: ManifestFile) -> _Checked:
    judge = JUDGES[manifest.feed]
    problems = list(judge.check_name(file, manifest.workspace_id))
    size = check.sizes.get(file.key)
    if size is None:
        # By the manifest's time, since windows may lie far back: a file was put shortly before it.
        old = check.expired_before and manifest.created_at < check.expired_before
        if old or manifest.ordinal <= check.acknowledged:
            return _Checked(file, problems, expired=True)
        return _Checked(file, [*problems, Problem(ProblemKind.MISSING, file.key, _MISSING)])
    if size != file.bytes:
        text = f"It has {size} bytes, {file.bytes} were delivered. {RESTORE}"
        return _Checked(file, [*problems, Problem(ProblemKind.ALTERED, file.key, text)])
    archived = False
    if check.deep and (not check.proven or file.key in check.rewritten):
        copy = check.scratch / str(threading.get_ident())
        try:
            problems += judge.check_bytes(check.destination, file, manifest.workspace_id, copy)
        except ObjectArchived:
            archived = True
    return _Checked(file, problems, whole=not problems, archived=archived)


def _archived(keys: Sequence[str]) -> Iterator[Problem]:
    if keys:
        text = (
            f"{len(keys)} file{'' if len(keys) == 1 else 's'} from this one on lie in an archive "
            "class: names and sizes are right, bytes were not read. Restore them in the bucket to "
            "have them read."
        )
        yield Problem(ProblemKind.ARCHIVED, keys[0], text)


def _report(
    links: tuple[Link, ...],
    tally: _Tally,
    warnings: tuple[Problem, ...],
    known: range,
    *,
    from_ledger: bool,
) -> VerifyReport:
    first = next((link.manifest for link in links if link.manifest), None)
    top = links[-1].ordinal if links else 0
    broken = [f.ordinal for f in tally.findings if f.ordinal is not None]
    return VerifyReport(
        sync_id=first.sync_id if first else None,
        workspace_id=first.workspace_id if first else None,
        manifests=max((top, *known[-1:])),
        first=links[0].ordinal if links and begins_anew(links[0]) else 1,
        complete_up_to=min([top, *(ordinal - 1 for ordinal in broken)]),
        files=tally.files,
        rows=tally.rows,
        bytes=tally.bytes,
        expired=tally.expired,
        problems=tuple(f.problem for f in tally.findings),
        warnings=warnings,
        from_ledger=from_ledger,
        proven_before=max((link.ordinal for link in links if link.proven), default=0),
    )

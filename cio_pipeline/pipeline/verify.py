"""Verification: what a sync's bucket and manifests alone prove of its completeness (D10).

No ledger is read and nothing is written. A broken bucket raises nothing: what is wrong is named.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cio_pipeline.files.names import FileName
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.manifests import FOLDER, Manifest, ManifestFile
from cio_pipeline.model.plans import Series
from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.verify_chain import Link, check_chain, read_links
from cio_pipeline.pipeline.verify_files import check_content, check_name, name_of
from cio_pipeline.pipeline.verify_report import Finding, Kind, Problem, VerifyReport
from cio_pipeline.pipeline.verify_sequences import check_sequences

Progress = Callable[[int, int], None]
"""Called with the number of files checked and of all."""


@dataclass
class _Tally:
    """What has been found so far."""

    findings: list[Finding] = field(default_factory=list[Finding])
    files: int = 0
    rows: int = 0
    bytes: int = 0
    expired: int = 0


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
) -> VerifyReport:
    """Prove what lies in a sync's destination, or name what is wrong. Never raises for a bucket.

    `deep` reads every file (digest, rows, contract, workspace); otherwise only names and sizes are
    checked. With `expire_days` and `now`, files older than that count as expired when absent. Files
    are copied into `scratch` one at a time, by default the system's temporary folder.
    """
    tally = _Tally()
    try:
        # Manifests first: what a manifest lists was put before it, so the second list has it.
        manifest_keys = [o.key for o in destination.list(FOLDER)]
        sizes = {o.key: o.size for o in destination.list()}
    except CioError as error:
        problem = Problem(Kind.UNREADABLE, "", f"The destination cannot be listed. {error}")
        return _report((), _Tally([Finding(problem, 1)]), ())
    links, broken = read_links(destination, manifest_keys)
    manifests = [link.manifest for link in links if link.manifest]
    tally.findings += [*broken, *check_chain(links), *check_sequences(manifests)]
    expired_before = now - timedelta(days=expire_days) if now and expire_days else None
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        check = _Check(destination, sizes, deep, expired_before, Path(folder) / "copy")
        _check_files(check, manifests, tally, progress or _silent)
    unlisted = list(_unlisted(sizes, manifests))
    tally.findings += [Finding(p, None) for p, in_flight in unlisted if not in_flight]
    return _report(links, tally, tuple(p for p, in_flight in unlisted if in_flight))


def _silent(_done: int, _all: int) -> None:
    pass


def _check_files(
    check: _Check, manifests: list[Manifest], tally: _Tally, progress: Progress
) -> None:
    total = sum(len(m.files) for m in manifests)
    seen: set[str] = set()
    exports: dict[str, str] = {}
    done = 0
    for manifest in manifests:
        for file in manifest.files:
            problems = list(_repeated(file, seen, exports))
            if not any(p.kind is Kind.LISTED_TWICE for p in problems):
                problems += _check_file(check, manifest, file, tally)
            tally.findings += [Finding(p, manifest.ordinal) for p in problems]
            done += 1
            progress(done, total)


def _repeated(file: ManifestFile, seen: set[str], exports: dict[str, str]) -> Iterator[Problem]:
    """Whether a key was listed before, or its stem belongs to another export."""
    if file.key in seen:
        yield Problem(Kind.LISTED_TWICE, file.key, "Two entries of the manifests list it.")
    seen.add(file.key)
    name = name_of(file.key)
    if name and exports.setdefault(name.stem, file.export) != file.export:
        other = exports[name.stem]
        yield Problem(
            Kind.MISNAMED, file.key, f"It is of {file.export}, but its stem is that of {other}."
        )


def _check_file(
    check: _Check, manifest: Manifest, file: ManifestFile, tally: _Tally
) -> list[Problem]:
    """Check one file and count it if it is whole, or expired."""
    problems = list(check_name(file, manifest.workspace_id))
    size = check.sizes.get(file.key)
    if size is None:
        # By the manifest's time, since windows may lie far back: a file was put shortly before it.
        if check.expired_before and manifest.created_at < check.expired_before:
            tally.expired += 1
        else:
            problems.append(Problem(Kind.MISSING, file.key, "It is listed, but not there."))
        return problems
    if size != file.bytes:
        text = f"It has {size} bytes, {file.bytes} were delivered."
        return [*problems, Problem(Kind.ALTERED, file.key, text)]
    if check.deep:
        problems += check_content(check.destination, file, manifest.workspace_id, check.copy)
    if not problems:
        tally.files += 1
        tally.rows += file.rows
        tally.bytes += file.bytes
    return problems


def _unlisted(
    sizes: Mapping[str, int], manifests: list[Manifest]
) -> Iterator[tuple[Problem, bool]]:
    """Objects that look like export files and are in no manifest, and whether that may be.

    Those of a window that runs right now have numbers above all listed ones; those of an abandoned
    plan have numbers declared void.
    """
    listed = {file.key for m in manifests for file in m.files}
    if not manifests:
        if any(map(name_of, sizes)):
            yield Problem(Kind.NO_MANIFEST, FOLDER, "There are files, but no manifest."), False
        return
    highest, void = _accounted(manifests)
    for key in sorted(sizes.keys() - listed):
        name = name_of(key)
        if name is None:
            continue
        if name.workspace_id != manifests[0].workspace_id:
            text = f"It is named as a file of workspace {name.workspace_id}, and in no manifest."
            yield Problem(Kind.FOREIGN, key, text), False
            continue
        series = (name.stem, name.series)
        in_flight = name.sequence > highest.get(series, 0) or (*series, name.sequence) in void
        text = "It is in no manifest yet." if in_flight else "It is in no manifest."
        yield Problem(Kind.UNLISTED, key, text), in_flight


def _accounted(
    manifests: list[Manifest],
) -> tuple[dict[tuple[str, Series], int], set[tuple[str, Series, int]]]:
    """The highest number listed and the numbers declared void, by stem and series."""
    highest: dict[tuple[str, Series], int] = {}
    stems: dict[str, set[str]] = {}
    for file in (file for m in manifests for file in m.files):
        name: FileName | None = name_of(file.key)
        if name:
            series = (name.stem, name.series)
            highest[series] = max(highest.get(series, 0), name.sequence)
            stems.setdefault(file.export, set()).add(name.stem)
    void = {
        (stem, v.series, v.sequence)
        for m in manifests
        for v in m.void
        for stem in stems.get(v.export, set[str]())
    }
    return highest, void


def _report(links: tuple[Link, ...], tally: _Tally, warnings: tuple[Problem, ...]) -> VerifyReport:
    first = next((link.manifest for link in links if link.manifest), None)
    top = links[-1].ordinal if links else 0
    broken = [f.ordinal for f in tally.findings if f.ordinal is not None]
    return VerifyReport(
        sync_id=first.sync_id if first else None,
        workspace_id=first.workspace_id if first else None,
        manifests=top,
        complete_up_to=min([top, *(ordinal - 1 for ordinal in broken)]),
        files=tally.files,
        rows=tally.rows,
        bytes=tally.bytes,
        expired=tally.expired,
        problems=tuple(f.problem for f in tally.findings),
        warnings=warnings,
    )

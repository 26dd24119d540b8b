"""`cio-pipeline verify`: what buckets and manifests prove (D10), and whether the last are there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import CONSOLE, print_json
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.cli.progress import progress
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery.acknowledged import acknowledged
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination
from cio_pipeline.settings import settings
from cio_pipeline.verification import verify as verification
from cio_pipeline.verification.links import NONE_KNOWN
from cio_pipeline.verification.proven import Proven
from cio_pipeline.verification.report import Problem, ProblemKind, VerifyReport
from cio_pipeline.verification.verify import FilesChecked, Stored
from cio_pipeline.wiring import now

SHOWN = 50
"""Problems in the table of one sync; `--json` has all."""

NOTHING_REGISTERED = (
    "No sync is registered in this ledger, so nothing was verified. Check CIO_HOME and CIO_LEDGER, "
    "or verify a bucket's folder with --path."
)

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Target:
    """A destination to verify, under the name that the report gets.

    `stored` gives the manifests of a sync that keeps them in the ledger only, `proven` those whose
    files were read earlier, `known` those that were put by what the ledger says.
    """

    name: str
    destination: Destination
    expire_days: int | None = None
    stems: Mapping[str, str] = field(default_factory=dict[str, str])
    stored: Stored | None = None
    proven: Proven | None = None
    acknowledged: int = 0
    known: range = NONE_KNOWN


def verify(
    sync: Annotated[list[str] | None, typer.Argument(help="Ids of syncs; default: all.")] = None,
    path: Annotated[
        list[Path] | None, typer.Option(help="A bucket's folder, without ledger; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the files.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Nothing delivered yet is no failure.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read again what was proven here before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove from bucket and manifests that nothing is missing, doubled or altered.

    Goes on from the last manifest that it proved here: of files up to it, names and sizes are
    looked at.

    Exit code 1 if anything is wrong, and if there is nothing to prove anything by.
    """
    targets = of_folders(path) if path else of_syncs(sync or [])
    _forget(targets if from_start else ())
    reports = _verify_all(targets, quick=quick, show_progress=not as_json)
    if as_json:
        print_json([to_json(target.name, report) for target, report in reports])
    else:
        for target, report in reports:
            CONSOLE.print(as_text(target.name, report))
    if not targets:
        typer.echo(NOTHING_REGISTERED, err=True)
    for target in (target for target, report in reports if report.empty):
        typer.echo(_looked_for(target), err=True)
    proven = targets and not any(report.empty for _, report in reports)
    if not all(report.ok for _, report in reports) or not (proven or allow_empty):
        raise typer.Exit(1)


def _forget(targets: Iterable[Target]) -> None:
    for target in targets:
        if target.proven is not None:
            target.proven.forget()


def _looked_for(target: Target) -> str:
    where = "the ledger" if target.stored else target.destination.describe()
    return (
        f"{target.name}: no `{manifest_key(1)}` or later one in {where}, and none of its files. "
        "If something was delivered, that is not the place: correct the path. "
        "If nothing was yet, say so with --allow-empty."
    )


def of_folders(paths: Iterable[Path]) -> list[Target]:
    """Local folders as targets; raises InvalidConfig for one that is not there."""
    found: list[Target] = []
    for path in paths:
        if not path.is_dir():
            raise InvalidConfig(f"'{path}' is no folder.", "Give the folder that holds `_cio/`.")
        found.append(Target(str(path), LocalFolder(path)))
    return found


def of_syncs(sync_ids: Sequence[str]) -> list[Target]:
    """The destinations of some syncs, or of all; raises UnknownSync."""
    return targets(services(), sync_ids)


def targets(found: Services, sync_ids: Sequence[str]) -> list[Target]:
    """The same, of these services."""
    registry = found.ledger.registry
    registered = [registry.get(one) for one in sync_ids] if sync_ids else registry.all()
    return [_target(found, one) for one in registered]


def _target(found: Services, registered: RegisteredSync) -> Target:
    sync = registered.sync
    stored = None if sync.manifest else partial(_stored, found, registered)
    proven = Proven(settings().proven / f"{sync.id}.gz")
    target = Target(sync.id, found.destinations(sync), sync.expire_days, sync.stems, stored, proven)
    known = _known(found, registered) if sync.manifest else NONE_KNOWN
    return replace(target, acknowledged=_acknowledged(found, sync), known=known)


def _known(found: Services, registered: RegisteredSync) -> range:
    """The ordinals that lie where the sync's files go now, asked before the bucket is listed.

    Chains are put in order.
    """
    manifests, sync_id = found.ledger.manifests, registered.sync.id
    last, _ = manifests.last(sync_id) or (0, "")
    end = min((ordinal for _, ordinal, _ in manifests.unput([sync_id])), default=last + 1)
    return range(registered.first_manifest, max(end, registered.first_manifest))


def _acknowledged(found: Services, sync: Sync) -> int:
    """What its reader has loaded, if files are deleted then; what is wrong with that is told."""
    if not sync.expire_acknowledged_after:
        return 0
    try:
        return acknowledged(found, sync) or 0
    except CioError as error:
        typer.echo(f"{sync.id}: {error}", err=True)
        return 0


def _stored(found: Services, registered: RegisteredSync) -> Sequence[tuple[int, bytes]]:
    """The manifests of what lies where the sync's files go now.

    Those that were put and then pruned are in the bucket alone.
    """
    destination = found.destinations(registered.sync)
    return [
        (ordinal, body or destination.get(manifest_key(ordinal)))
        for ordinal, body in found.ledger.manifests.bodies(registered.sync.id)
        if ordinal >= registered.first_manifest
    ]


def verify_target(
    target: Target, *, deep: bool, progress: FilesChecked | None = None, at: datetime | None = None
) -> VerifyReport:
    """What is proven of one destination; `at` is the time that files expire by."""
    return verification.verify(
        target.destination,
        deep=deep,
        progress=progress,
        expire_days=target.expire_days,
        now=at,
        stored=target.stored,
        stems=target.stems,
        proven=target.proven,
        acknowledged=target.acknowledged,
        known=target.known,
    )


def as_text(name: str, report: VerifyReport) -> RenderableType:
    """A report for people: one line, then what is wrong."""
    mark = Text("✓ ", "bold green") if report.ok else Text("✗ ", "bold red")
    if report.empty:
        mark = Text("? ", "bold yellow")
    parts: list[RenderableType] = [mark + Text(name, "bold") + Text(f": {_summary(report)}")]
    if report.problems:
        parts.append(_table(report.problems))
    if report.warnings:
        parts.append(Text(f"Not proven wrong, but look at it ({len(report.warnings)}):", "yellow"))
        parts.append(_table(report.warnings))
    return Group(*parts)


def to_json(name: str, report: VerifyReport) -> dict[str, object]:
    """A report for scripts."""
    return {"name": name, "ok": report.ok, "empty": report.empty, **asdict(report)}


def _verify_all(
    targets: Sequence[Target], *, quick: bool, show_progress: bool
) -> list[tuple[Target, VerifyReport]]:
    at = now()
    with progress(enabled=show_progress) as bar:
        return [
            (
                target,
                verify_target(target, deep=not quick, progress=partial(bar, target.name), at=at),
            )
            for target in targets
        ]


def _summary(report: VerifyReport) -> str:
    source = " (manifests from the ledger)" if report.from_ledger else ""
    if not report.manifests:
        return f"{_without_manifests(report)}{source}"
    upto = f"complete up to manifest {report.complete_up_to}"
    if report.complete_up_to < report.manifests:
        upto += f" of {report.manifests}"
    if report.proven_before:
        upto += f", up to {report.proven_before} as proven before"
    whole = f"{report.files:,} files, {report.rows:,} rows, {_size(report.bytes)} whole"
    expired = f", {report.expired:,} files expired" if report.expired else ""
    return f"{upto}{source}; {whole}{expired}"


def _without_manifests(report: VerifyReport) -> str:
    kinds = {problem.kind for problem in report.problems}
    if ProblemKind.NO_MANIFEST in kinds:
        return "no manifest to prove anything by"
    return "nothing could be read" if kinds else "nothing delivered yet, so nothing proven"


def _table(problems: Sequence[Problem]) -> Table:
    table = Table("problem", "object", "what", box=None, padding=(0, 2), header_style="bold")
    for problem in problems[:SHOWN]:
        table.add_row(*map(Text, (problem.kind, problem.key, problem.message)))
    if len(problems) > SHOWN:
        table.add_row("…", f"{len(problems) - SHOWN:,} more", "`--json` shows all")
    return table


def _size(count: int) -> str:
    size = float(count)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:  # noqa: PLR2004 - the step between the units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError

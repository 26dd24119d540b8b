"""Verification of single files against what a manifest says of them (D10)."""

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from cio_pipeline.files.footers import read_footer
from cio_pipeline.files.names import FileName, parse_key, parse_name
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import CioError, InvalidKey, ObjectArchived
from cio_pipeline.model.manifests import Manifest, ManifestFile
from cio_pipeline.ports import Destination
from cio_pipeline.verification.report import (
    RESTORE,
    RESTORE_ALL,
    Problem,
    ProblemKind,
    said,
)

_ALTERED = "Its bytes are not those that were delivered."
_NO_COPY = "The copy to check it failed. Make room in the temporary folder, then verify again."


def name_of(key: str) -> FileName | None:
    """The name in a key's last part; None if it is not that of an export file."""
    try:
        return parse_name(key.rpartition("/")[2])
    except InvalidKey:
        return None


def check_name(file: ManifestFile, workspace_id: int) -> Iterator[Problem]:
    """Whether the key says what the manifest says: version, series, workspace, numbers, day."""
    name = name_of(file.key)
    if name is None:
        yield Problem(
            ProblemKind.MISNAMED, file.key, f"No export file has such a key. {RESTORE_ALL}"
        )
        return
    if name.workspace_id != workspace_id:
        text = f"It is named as a file of workspace {name.workspace_id}. {RESTORE_ALL}"
        yield Problem(ProblemKind.FOREIGN, file.key, text)
    told = (name.version, name.series, name.sequence, name.part)
    if told != (file.version, file.series, file.sequence, file.part):
        text = f"Its version, series or number differs from its manifest's. {RESTORE_ALL}"
        yield Problem(ProblemKind.MISNAMED, file.key, text)
    if not is_in_place(file.key, file.window_end.date()):
        text = f"No window that ended on {file.window_end:%Y-%m-%d} puts it there. {RESTORE_ALL}"
        yield Problem(ProblemKind.MISNAMED, file.key, text)


def is_in_place(key: str, day: date | None = None) -> bool:
    """Whether an export file lies where one layout or the other has it (D9), of `day` if given."""
    try:
        found = parse_key(key)[1]
    except InvalidKey:
        return False
    return found is None or day is None or found == day


def last_of_keys(manifests: Iterable[Manifest]) -> dict[str, ManifestFile]:
    """Of the files that may replace one another (M4), the one that lies under each key."""
    overwriting = (one for one in manifests if one.feed.facts.overwrites)
    return {file.key: file for manifest in overwriting for file in manifest.files}


def check_digest(
    destination: Destination,
    file: ManifestFile,
    workspace_id: int,  # noqa: ARG001 - that of every check
    copy: Path,  # noqa: ARG001 - the same
) -> Iterator[Problem]:
    """Whether an object holds what was listed; of feeds that forward there is no more to know.

    Raises ObjectArchived.
    """
    try:
        same = destination.sha256(file.key) == file.sha256
    except ObjectArchived:
        raise
    except CioError as error:
        yield Problem(ProblemKind.UNREADABLE, file.key, said(error))
        return
    if not same:
        yield Problem(ProblemKind.ALTERED, file.key, f"{_ALTERED} {RESTORE}")


def check_content(
    destination: Destination, file: ManifestFile, workspace_id: int, copy: Path
) -> Iterator[Problem]:
    """Whether an object is the file that was listed; `copy` is where it is read from.

    One read of the object gives its digest and its footer. Raises ObjectArchived.
    """
    try:
        destination.download(file.key, copy)
        found = sha256_of(copy)
    except ObjectArchived:
        raise
    except (CioError, OSError) as error:
        text = said(error) if isinstance(error, CioError) else _NO_COPY
        yield Problem(ProblemKind.UNREADABLE, file.key, text)
        return
    if found != file.sha256:
        yield Problem(ProblemKind.ALTERED, file.key, f"{_ALTERED} {RESTORE}")
        return
    yield from _check_footer(file, workspace_id, copy)


def _check_footer(file: ManifestFile, workspace_id: int, copy: Path) -> Iterator[Problem]:
    try:
        footer = read_footer(copy)
    except (OSError, ValueError, RuntimeError):
        yield Problem(ProblemKind.CONTRACT, file.key, f"It is not a Parquet file. {RESTORE_ALL}")
        return
    if footer.rows != file.rows:
        text = f"It holds {footer.rows} rows, its manifest says {file.rows}. {RESTORE_ALL}"
        yield Problem(ProblemKind.CONTRACT, file.key, text)
    contract = (file.export, str(file.version), file.fingerprint)
    if (footer.export, footer.version, footer.fingerprint) != contract:
        of = f"{file.export} v{file.version}"
        text = f"Its footer names another contract than {of}. {RESTORE_ALL}"
        yield Problem(ProblemKind.CONTRACT, file.key, text)
    # An erasure may leave a file without rows.
    if footer.rows and footer.workspaces != (workspace_id, workspace_id):
        text = f"Not every row is proven to be of workspace {workspace_id}. {RESTORE_ALL}"
        yield Problem(ProblemKind.FOREIGN, file.key, text)

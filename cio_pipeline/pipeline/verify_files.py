"""Verification of single files against what a manifest says of them (D10)."""

from collections.abc import Iterator
from pathlib import Path

from cio_pipeline.files.footers import read_footer
from cio_pipeline.files.names import FileName, parse
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import CioError, InvalidKey
from cio_pipeline.model.manifests import ManifestFile
from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.verify_report import Kind, Problem


def name_of(key: str) -> FileName | None:
    """The name in a key's last part; None if it is not that of an export file."""
    try:
        return parse(key.rpartition("/")[2])
    except InvalidKey:
        return None


def check_name(file: ManifestFile, workspace_id: int) -> Iterator[Problem]:
    """Whether the key says what the manifest says: version, series, workspace, numbers."""
    name = name_of(file.key)
    if name is None:
        yield Problem(Kind.MISNAMED, file.key, "The key is not that of an export file.")
        return
    if name.workspace_id != workspace_id:
        yield Problem(
            Kind.FOREIGN, file.key, f"It is named as a file of workspace {name.workspace_id}."
        )
    told = (name.version, name.series, name.sequence, name.part)
    if told != (file.version, file.series, file.sequence, file.part):
        yield Problem(
            Kind.MISNAMED, file.key, "Its version, series or number differs from its manifest's."
        )


def check_content(
    destination: Destination, file: ManifestFile, workspace_id: int, copy: Path
) -> Iterator[Problem]:
    """Whether an object is the file that was listed; `copy` is where it is read from.

    One read of the object gives its digest and its footer.
    """
    try:
        destination.download(file.key, copy)
        found = sha256_of(copy)
    except (CioError, OSError) as error:
        text = str(error) if isinstance(error, CioError) else "The copy to check it failed."
        yield Problem(Kind.UNREADABLE, file.key, text)
        return
    if found != file.sha256:
        yield Problem(Kind.ALTERED, file.key, "Its bytes are not those that were delivered.")
        return
    yield from _check_footer(file, workspace_id, copy)


def _check_footer(file: ManifestFile, workspace_id: int, copy: Path) -> Iterator[Problem]:
    try:
        footer = read_footer(copy)
    except (OSError, ValueError, RuntimeError):
        yield Problem(Kind.CONTRACT, file.key, "It is not a Parquet file.")
        return
    if footer.rows != file.rows:
        yield Problem(
            Kind.CONTRACT, file.key, f"It holds {footer.rows} rows, its manifest says {file.rows}."
        )
    contract = (file.export, str(file.version), file.fingerprint)
    if (footer.export, footer.version, footer.fingerprint) != contract:
        yield Problem(
            Kind.CONTRACT,
            file.key,
            f"Its footer names another contract than {file.export} v{file.version}.",
        )
    if footer.workspaces != (workspace_id, workspace_id):
        yield Problem(
            Kind.FOREIGN, file.key, f"Not every row is proven to be of workspace {workspace_id}."
        )

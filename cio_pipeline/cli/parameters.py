"""Arguments and options that several verbs take."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.contracts.catalog import export as export_named
from cio_pipeline.files.names import check_stems
from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.errors import InvalidConfig

SyncId = Annotated[str, typer.Argument(help="Id of the sync.")]

Syncs = Annotated[list[str] | None, typer.Option("--sync", help="Only this sync; repeatable.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

Stems = Annotated[
    list[str] | None,
    typer.Option("--stem", help="EXPORT=STEM where the sync names files otherwise; repeatable."),
]


def put_at(path: Path) -> Path:
    """A path that a new file is put at.

    Raises InvalidConfig for what is there and is no file (a device or a pipe would be gone), or is
    one of data, and where there is no folder for it.
    """
    if path.exists() and not path.is_file():
        raise InvalidConfig(f"{path} is no file.", "Name a file, or one that is not there yet.")
    if not path.parent.is_dir():
        raise InvalidConfig(
            f"{path} cannot be written: it would lie in no folder.", "Make it, or name another."
        )
    require_no_data(path)
    return path


_SIGNS = ((0, b"SQLite format 3\0"), (8, b"DUCK"), (0, b"PAR1"))
"""What files of data have, and where: a ledger, a warehouse, delivered rows."""


def require_no_data(path: Path) -> None:
    """Raise InvalidConfig for a file that nobody means to write over: a slip names it easily."""
    if not (path.is_file() and os.access(path, os.R_OK)):
        return
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise InvalidConfig(
            f"{path} cannot be looked at ({reason(error)}).", "Name another file."
        ) from error
    if any(head.startswith(sign, at) for at, sign in _SIGNS):
        raise InvalidConfig(f"{path} holds data, which would be gone.", "Name another file.")


def stems_of(given: Iterable[str] | None) -> dict[str, str]:
    """Stems by export.

    Raises InvalidConfig for what names none or one twice, UnknownExport.
    """
    found: dict[str, str] = {}
    for one in given or ():
        name, sign, stem = one.partition("=")
        if not sign:
            raise InvalidConfig(f"'{one}' names no stem.", "Write --stem actions=workflow_actions.")
        export = export_named(name).name
        if found.setdefault(export, stem) != stem:
            raise InvalidConfig(f"--stem names '{export}' twice.", "Give each export one stem.")
    check_stems(found)
    return found

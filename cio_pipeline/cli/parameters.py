"""Arguments and options that several verbs take."""

from collections.abc import Iterable
from typing import Annotated

import typer

from cio_pipeline.contracts.catalog import export as export_named
from cio_pipeline.model.errors import InvalidConfig

SyncId = Annotated[str, typer.Argument(help="Id of the sync.")]

Syncs = Annotated[list[str] | None, typer.Option("--sync", help="Only this sync; repeatable.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

Stems = Annotated[
    list[str] | None,
    typer.Option("--stem", help="EXPORT=STEM where the sync names files otherwise; repeatable."),
]


def stems_of(given: Iterable[str] | None) -> dict[str, str]:
    """Stems by export; raises InvalidConfig for what names none, UnknownExport."""
    pairs = [one.partition("=") for one in given or ()]
    for export, sign, stem in pairs:
        if not sign or not stem.replace("_", "").isalnum():
            raise InvalidConfig(
                f"'{export}{sign}{stem}' names no stem.", "Write --stem actions=workflow_actions."
            )
    return {export_named(export).name: stem for export, _, stem in pairs}

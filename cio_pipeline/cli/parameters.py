"""Arguments and options that several verbs take."""

from typing import Annotated

import typer

SyncId = Annotated[str, typer.Argument(help="Id of the sync.")]

Syncs = Annotated[list[str] | None, typer.Option("--sync", help="Only this sync; repeatable.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

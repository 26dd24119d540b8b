"""Arguments and options that several verbs take."""

from typing import Annotated

import typer

SyncId = Annotated[str, typer.Argument(help="Id of the sync.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

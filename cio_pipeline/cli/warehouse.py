"""Loading what was delivered into tables: `warehouse load`."""

from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.model.errors import InvalidConfig


def load(
    buckets: Annotated[
        list[str],
        typer.Argument(
            metavar="BUCKET...",
            help="Folders, s3://bucket/path or az://container/path, each of one sync.",
        ),
    ],
    into: Annotated[Path, typer.Option(help="The DuckDB file; made if it is not there.")],
    schema: Annotated[
        str | None, typer.Option(help="Schema of the tables; by default the sync's id.")
    ] = None,
) -> None:
    """Load what was delivered into a DuckDB file, each manifest once."""
    del buckets, into, schema
    raise InvalidConfig("`warehouse load` is not there yet.", "Use SQL of docs/reading.md.")

"""Loading what was delivered into tables: `warehouse load`."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.output import console, print_json, print_table
from cio_pipeline.cli.parameters import AsJson, Stems, stems_of
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.reader.by_names import UNPROVEN
from cio_pipeline.reader.warehouse.acknowledge import acknowledge
from cio_pipeline.reader.warehouse.database import opened
from cio_pipeline.reader.warehouse.load import load as load_feed
from cio_pipeline.reader.warehouse.target import Loaded, Others

Schema = Annotated[
    str | None,
    typer.Option(help="Schema of one bucket's tables; by default the sync's id, with _ for -."),
]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Drop what was loaded of them, and load all.")
]
Acknowledge = Annotated[
    bool,
    typer.Option("--acknowledge", help="Tell the sender what is loaded: `_cio/acknowledged`."),
]
Buckets = Annotated[
    list[str],
    typer.Argument(
        metavar="BUCKET...",
        help="Folders, s3://bucket/path or az://container/path, each of one sync.",
    ),
]


def load(
    buckets: Buckets,
    into: Annotated[Path, typer.Option(help="The DuckDB file; made if it is not there.")],
    schema: Schema = None,
    rebuild: Rebuild = False,
    stems: Stems = None,
    acknowledged: Acknowledge = False,
    as_json: AsJson = False,
) -> None:
    """Load what was delivered into a DuckDB file, each manifest once.

    Run it again whenever something is delivered. Each feed has a schema of its own: a table for
    each export with all rows, and a view <table>_newest with the newest row of each entity. A
    bucket with a mistake is named, the others are loaded, and the exit code is 1. Stems tell files
    only where there are no manifests.
    """
    load_new = partial(load_feed, schema=schema, rebuild=rebuild, stems=stems_of(stems))
    if schema is not None and len(buckets) > 1:
        raise InvalidConfig("One schema cannot hold several feeds.", "Load them one by one.")
    done: list[Loaded] = []
    failed: list[tuple[str, CioError]] = []
    with opened(into) as db:
        for bucket in buckets:
            try:
                others = Others({one.schema for one in done}, failed=bool(failed))
                found = load_new(db, bucket, others=others)
                done.append(found)
                if acknowledged:
                    acknowledge(db, bucket, found.schema)
            except CioError as error:
                failed.append((_without_keys(bucket), error))
    _show(done, failed, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _without_keys(place: str) -> str:
    """A place without what a URL may have of keys: before an @, and after a question mark."""
    return re.sub(r"(?<=://)[^/@]*:[^/@]*@|[?#].*", "", place) if "://" in place else place


def _show(
    loaded: Sequence[Loaded], failed: Sequence[tuple[str, CioError]], *, as_json: bool
) -> None:
    if as_json:
        errors = [
            {"place": place, "error": one.message, "next_step": one.next_step}
            for place, one in failed
        ]
        print_json({"loaded": [asdict(one) for one in loaded], "failed": errors})
        return
    if loaded:
        columns = ("bucket", "schema", "manifests", "files", "rows", "loaded again")
        print_table("Loaded", columns, map(_row, loaded))
    terminal = console(stderr=True)
    for one in loaded:
        if one.unproven:
            terminal.print(f"{one.schema}: {one.unproven}")
    for place, error in failed:
        terminal.print(f"Error: {place}: {error.message} {error.next_step}".rstrip())


def _row(one: Loaded) -> tuple[object, ...]:
    manifests = "none new" if one.last is None else f"{one.first} to {one.last}"
    told = "by names" if one.unproven == UNPROVEN else manifests
    return one.place, one.schema, told, one.files, one.rows, one.rewritten

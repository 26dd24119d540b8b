"""`cio-pipeline source load`: files of rows into a source table."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.loading import (
    How,
    Into,
    Loaded,
    load_lines,
    load_rows,
    one_character,
    replacing,
    show_left_out,
    told_of_vanished,
    whose,
)
from cio_pipeline.cli.output import console, harmless, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import parse_time
from cio_pipeline.settings import settings
from cio_pipeline.sources.bad_rows import set_aside
from cio_pipeline.sources.csv_text import COMMA
from cio_pipeline.sources.load import files_in
from cio_pipeline.wiring import now, source_place

OfTable = Annotated[str, typer.Argument(help="Name of the source table.")]
Files = Annotated[
    list[Path], typer.Argument(help="CSV, NDJSON or Parquet files, or folders of them.")
]
Workspace = Annotated[
    int | None, typer.Option(min=1, help="Whose messages or calls an NDJSON file holds.")
]
CommitTime = Annotated[
    str | None, typer.Option(help="Time of the commit (UTC), for old data; default now.")
]
QuarantineBad = Annotated[
    bool, typer.Option("--quarantine-bad", help="Load the good rows, keep bad ones in files.")
]
Delimiter = Annotated[
    str, typer.Option(help="What stands between the cells of CSV files; `tab` for a tab.")
]
ReplaceAll = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="The files hold all rows of their workspaces: what they lack is removed.",
    ),
]


def load(
    table: OfTable,
    files: Files,
    workspace: Workspace = None,
    at: CommitTime = None,
    quarantine_bad: QuarantineBad = False,
    delimiter: Delimiter = COMMA,
    replace_all: ReplaceAll = False,
    as_json: AsJson = False,
) -> None:
    """Load files into a table in one commit; mutable tables are updated by their identity.

    NDJSON files of messages and calls hold them as they came in, for one --workspace; lines that
    cannot be understood are told and left out. Of other files, one bad row refuses all, unless
    --quarantine-bad is given.
    """
    declared = _table(table)
    time = None if at is None else _past(at)
    aside = _bad_rows_of(table) if quarantine_bad else None
    with console(stderr=True).status(f"Loading {table} …"):
        how = How(time, aside, one_character(delimiter), replacing(declared, replace_all, aside))
        done = _loaded(declared, files_in(files), workspace, how)
    if as_json:
        tells_bad = workspace is not None or quarantine_bad
        print_json(_loaded_as_json(declared, done, how, tells_bad=tells_bad))
        return
    print_table("Loaded", ("table", "rows", "version"), [(table, done.rows, done.version)])
    if done.known:
        typer.echo(f"{done.known:,} more were there already.")
    if replace_all:
        typer.echo(harmless(told_of_vanished(declared, done.vanished)))
    show_left_out(done.bad)
    if aside is not None and done.bad:
        typer.echo(f"What was left out is kept in {aside}; correct it there, and load it.")


def _loaded(table: SourceTable, files: Sequence[Path], workspace: int | None, how: How) -> Loaded:
    owner = whose(table, files, workspace)
    if owner is None:
        return load_rows(table, files, how, *source_place(settings()))
    done = load_lines(table, files, Into(owner, how.at or now(), *source_place(settings()), how.at))
    if how.aside is not None:
        set_aside(files, done.bad, how.aside)
    return done


def _loaded_as_json(
    table: SourceTable, done: Loaded, how: How, *, tells_bad: bool
) -> dict[str, object]:
    """What a load came to; only of what can be is said how much it was."""
    found: dict[str, object] = {"table": table.name, "rows": done.rows}
    found |= {"version": done.version, "at": how.at}
    if tells_bad:
        found |= {"left_out": [asdict(one) for one in done.bad]}
    if table.kind is TableKind.APPEND_ONLY:
        found |= {"known": done.known}
    if how.aside is not None:
        found |= {"kept_in": str(how.aside) if done.bad else None}
    if how.replaces:
        found |= {"vanished": done.vanished}
    return found


def _bad_rows_of(table: str) -> Path:
    """A folder for the bad rows of one load."""
    return settings().home / "bad-rows" / f"{table}-{now():%Y%m%dT%H%M%S.%f}Z"


def _past(at: str) -> datetime:
    time = parse_time(at)
    if time > now():
        raise InvalidConfig(
            f"{utc(time)} lies in the future.",
            "Such a commit would hold back all later ones of the table until then; leave --at out.",
        )
    return time


def _table(name: str) -> SourceTable:
    if name in SOURCE_TABLES:
        return SOURCE_TABLES[name]
    close = get_close_matches(name, SOURCE_TABLES, 1)
    meant = f"Did you mean {close[0]}? " if close else ""
    raise InvalidConfig(
        f"There is no source table {name}.", f"{meant}The tables are {', '.join(SOURCE_TABLES)}."
    )

"""`cio-pipeline source load`: files of rows into a source table."""

from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.load_rows import How, load_rows, one_character, replacing, told_of_vanished
from cio_pipeline.cli.output import console, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.cli.raw_lines import Into, load_lines, show_left_out, whose
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


def load(  # noqa: PLR0917 - typer takes options as parameters
    table: Annotated[str, typer.Argument(help="Name of the source table.")],
    files: Annotated[
        list[Path], typer.Argument(help="CSV, NDJSON or Parquet files, or folders of them.")
    ],
    workspace: Annotated[
        int | None, typer.Option(min=1, help="Whose messages or calls an NDJSON file holds.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Time of the commit (UTC), for old data; default now.")
    ] = None,
    quarantine_bad: Annotated[  # noqa: FBT002 - typer's way to declare a flag
        bool,
        typer.Option("--quarantine-bad", help="Load the good rows, keep bad ones in files."),
    ] = False,
    delimiter: Annotated[
        str, typer.Option(help="What stands between the cells of CSV files; `tab` for a tab.")
    ] = COMMA,
    replace_all: Annotated[  # noqa: FBT002 - typer's way to declare a flag
        bool,
        typer.Option(
            "--replace",
            help="The files hold all rows of their workspaces: what they lack is removed.",
        ),
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002 - typer's way to declare a flag
) -> None:
    """Load files into a table in one commit; mutable tables are updated by their identity.

    NDJSON files of messages and calls hold them as they came in, for one --workspace; lines that
    cannot be understood are told and left out. Of other files, one bad row refuses all, unless
    --quarantine-bad is given.
    """
    declared = _table(table)
    time = None if at is None else _past(at)
    aside = _bad_rows_of(table) if quarantine_bad else None
    place = source_place(settings())
    with console(stderr=True).status(f"Loading {table} …"):
        files = files_in(files)
        owner = whose(declared, files, workspace)
        if owner is None:
            how = How(
                time, aside, one_character(delimiter), replacing(declared, replace_all, aside)
            )
            done = load_rows(declared, files, how, *place)
        else:
            done = load_lines(declared, files, Into(owner, time or now(), *place, time))
            if aside is not None:
                set_aside(files, done.bad, aside)
    kept = aside if done.bad else None
    if as_json:
        loaded = {"table": table, "rows": done.rows, "version": done.version, "at": time}
        left_out = {"left_out": [asdict(one) for one in done.bad]}
        known = {"known": done.known} if declared.kind is TableKind.APPEND_ONLY else {}
        where = {"kept_in": None if kept is None else str(kept)} if quarantine_bad else {}
        told = left_out if workspace is not None or quarantine_bad else {}
        gone = {"vanished": done.vanished} if replace_all else {}
        print_json(loaded | told | known | where | gone)
        return
    print_table("Loaded", ("table", "rows", "version"), [(table, done.rows, done.version)])
    if done.known:
        typer.echo(f"{done.known:,} more were there already.")
    if replace_all:
        typer.echo(told_of_vanished(declared, done.vanished))
    show_left_out(done.bad)
    if kept is not None:
        typer.echo(f"What was left out is kept in {kept}; correct it there, and load it.")


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

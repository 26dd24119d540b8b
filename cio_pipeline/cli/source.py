"""`cio-pipeline source`: the tables that exports are computed from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.load_rows import How, load_rows, one_character, replacing, told_of_vanished
from cio_pipeline.cli.output import console, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.cli.pull import pull
from cio_pipeline.cli.raw_lines import Into, load_lines, show_left_out, whose
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import parse_time
from cio_pipeline.pipeline.planning.cuts import oldest_needed
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import settings
from cio_pipeline.sources.bad_rows import set_aside
from cio_pipeline.sources.csv_text import COMMA
from cio_pipeline.sources.load import files_in
from cio_pipeline.sources.open import source_uri, storage_options
from cio_pipeline.sources.status import TableStatus, table_statuses
from cio_pipeline.sources.tables import create_tables, take_over
from cio_pipeline.wiring import now

app = typer.Typer()


app.command()(pull)


@app.command()
def init(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Create the source tables that do not exist yet, and add columns that came later to others."""
    uri, options = _place()
    added = take_over(uri, SOURCE_TABLES.values(), options)
    created = create_tables(uri, SOURCE_TABLES.values(), options)
    if as_json:
        print_json({"source": uri, "created": created, "added": added})
        return
    print_table("Created", ("table",), [(name,) for name in created], "all tables exist already")
    if added:
        print_table("Added", ("column",), [(name,) for name in added])


@app.command()
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
    with console(stderr=True).status(f"Loading {table} …"):
        files = files_in(files)
        owner = whose(declared, files, workspace)
        if owner is None:
            how = How(
                time, aside, one_character(delimiter), replacing(declared, replace_all, aside)
            )
            done = load_rows(declared, files, how, *_place())
        else:
            done = load_lines(declared, files, Into(owner, time or now(), *_place(), time))
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


@app.command()
def status(as_json: AsJson = False) -> None:  # noqa: FBT002 - typer's way to declare a flag
    """Show versions, rows, last change, change feed and problems of each table.

    `needed from` is the version that the slowest sync goes on from: keep it and all later ones.
    """
    uri, options = _place()
    product = services()
    last = product.ledger.cuts.before(product.clock())
    since = {table: cut.table(table) for table, cut in oldest_needed(product.ledger).items()}
    needed = {table: cut.version for table, cut in since.items()}
    statuses = table_statuses(uri, SOURCE_TABLES.values(), options, since)
    found = [_with_rest(product, one, last) for one in statuses]
    breaches: defaultdict[str, list[str]] = defaultdict(list)
    for one in product.ledger.breaches.all():
        breaches[one.last.table].append(str(one))
    if as_json:
        print_json([_as_json(one, needed, breaches[one.table]) for one in found])
        return
    columns = (
        "table",
        "kind",
        "version",
        "oldest",
        "needed from",
        "rows",
        "last change",
        "change feed",
        "problems",
        "broke its contract",
    )
    rows = [
        (
            one.table,
            one.kind.value,
            one.version,
            one.oldest_version,
            needed.get(one.table),
            one.rows,
            one.last_change or ("never" if one.version is not None else None),
            None if one.change_feed or one.version is None else "off",
            "; ".join(one.problems),
            "; ".join(breaches[one.table]),
        )
        for one in found
    ]
    print_table(f"Source {uri}", columns, rows)


def _as_json(
    status: TableStatus, needed: Mapping[str, int], breaches: Sequence[str]
) -> dict[str, object]:
    return {**asdict(status), "needed_from": needed.get(status.table), "breaches": breaches}


def _with_rest(found: Services, status: TableStatus, last: Cut | None) -> TableStatus:
    """The status, with commits named as a problem that wait for a time ahead, or name one."""
    if status.version is None:
        return status
    at = found.clock()
    try:
        rest = found.source.look(SOURCE_TABLES[status.table], at, last, at).rest
    except CioError as error:
        return replace(status, problems=tuple(dict.fromkeys((*status.problems, error.message))))
    if rest is not None and rest.waiting is not None:
        return replace(status, problems=(*status.problems, str(rest.waiting)))
    if status.last_change is None or status.last_change <= at:
        return status
    told = (
        f"its writer's clock is ahead of ours: the last commit is dated "
        f"{utc(status.last_change)} and counts as committed when it was first seen"
    )
    return replace(status, problems=(*status.problems, told))


def _place() -> tuple[str, dict[str, str]]:
    """URI and storage options of the source that CIO_SOURCE names."""
    found = settings()
    uri = source_uri(found.source)
    return uri, storage_options(uri, found.storage_options)


def _table(name: str) -> SourceTable:
    if name in SOURCE_TABLES:
        return SOURCE_TABLES[name]
    close = get_close_matches(name, SOURCE_TABLES, 1)
    meant = f"Did you mean {close[0]}? " if close else ""
    raise InvalidConfig(
        f"There is no source table {name}.", f"{meant}The tables are {', '.join(SOURCE_TABLES)}."
    )

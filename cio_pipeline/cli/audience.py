"""`cio-pipeline audience`: whom to reach or to leave out, as ad platforms want it (O7)."""

import csv
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson, put_at
from cio_pipeline.reader.audiences import HOLDOUT, REACH, Member, marts_in
from cio_pipeline.reader.match_keys import PLATFORMS, e164, keys_of, known_country
from cio_pipeline.reader.uploads import CLEAR, Cells, Upload
from cio_pipeline.settings import settings
from cio_pipeline.wiring import now

Name = Annotated[str, typer.Argument(help="Name of the audience, see `audience list`.")]
Warehouse = Annotated[
    Path | None,
    typer.Option(help="The DuckDB file; by default $CIO_WAREHOUSE, or in $CIO_HOME."),
]
FeedName = Annotated[
    str | None, typer.Option("--feed", help="Schema of the feed, if the warehouse has several.")
]
Country = Annotated[
    str | None,
    typer.Option(help="Country of phone numbers that do not say theirs: DE, CH, US …"),
]


class Format(StrEnum):
    """What a file of an audience is for."""

    META = "meta"
    GOOGLE = "google"
    TIKTOK = "tiktok"
    CSV = "csv"


ForWhom = Annotated[Format, typer.Option("--format", help="The platform, or csv in the clear.")]
WithHoldout = Annotated[
    bool,
    typer.Option("--with-holdout", help="Also those whom a test keeps from being reached."),
]


def list_(warehouse: Warehouse = None, feed: FeedName = None, as_json: AsJson = False) -> None:
    """List the audiences, with their size when they were last built."""
    with marts_in(warehouse_file(warehouse), feed) as marts:
        found = marts.audiences()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [(o.name, o.use, o.people, o.held_out, o.built_at, o.description) for o in found]
    columns = ("audience", "use", "people", "held out", "built", "description")
    print_table("Audiences", columns, rows, "none is declared")


def show(
    name: Name,
    limit: Annotated[int, typer.Option(min=0, help="So many people.")] = 20,
    country: Country = None,
    warehouse: Warehouse = None,
    feed: FeedName = None,
    as_json: AsJson = False,
) -> None:
    """Show who is in an audience now, and how many an ad platform can match."""
    where = known_country(country)
    with marts_in(warehouse_file(warehouse), feed) as marts:
        audience = marts.audience(name)
        people = list(marts.members(audience))
    counts = {
        "people": len(people),
        "held_out": sum(one.side == HOLDOUT for one in people),
        "with_email": sum(bool(one.email) for one in people),
        "with_phone": sum(bool(e164(one.phone, where)) for one in people),
    }
    if as_json:
        print_json({**asdict(audience), **counts, "members": [asdict(o) for o in people[:limit]]})
        return
    typer.echo(audience.description)
    columns = ("person", "workspace", "since", "score", "reason", "side")
    rows = [_shown(one) for one in islice(people, limit)]
    print_table(f"Members of {name}", columns, rows, "nobody")
    typer.echo(", ".join(f"{number:,} {word.replace('_', ' ')}" for word, number in counts.items()))


def export(
    name: Name,
    for_: ForWhom,
    out: Annotated[str, typer.Option(help="The file; - is standard output.")] = "-",
    country: Country = None,
    holdout: WithHoldout = False,
    warehouse: Warehouse = None,
    feed: FeedName = None,
) -> None:
    """Write an audience as an ad platform's upload: match keys of email and phone, SHA-256.

    Deleted and suppressed people are never in it, whenever that became known. Of an audience that
    is there to reach people, those held out are left out; both are kept for the lift report.
    """
    where, upload = known_country(country), Upload()
    platform = None if for_ is Format.CSV else PLATFORMS[for_]
    with (
        marts_in(warehouse_file(warehouse), feed, write=bool(platform)) as marts,
        _opened(out) as file,
    ):
        audience, keys = marts.audience(name), keys_of(platform or PLATFORMS[Format.GOOGLE], where)
        if not holdout:
            upload.hold(marts.members(audience), keys)
        chosen = upload.chosen(marts.members(audience), with_holdout=holdout)
        if platform is None:
            written = _write(file, CLEAR, upload.in_the_clear(chosen, keys, where))
        else:
            written = _write(file, platform.headers, upload.hashed(chosen, keys))
        if platform and audience.use == REACH and not holdout:
            marts.record(audience, upload.sides(), now())
    _say(name, for_, written, upload)


def _shown(one: Member) -> tuple[Any, ...]:
    score = None if one.score is None else f"{one.score:,.2f}"
    person = one.customer_id or one.internal_customer_id
    return (person, one.workspace_id, one.since, score, one.reason, one.side)


def warehouse_file(given: Path | None) -> Path:
    """The DuckDB file that is meant."""
    return given or Path(os.environ.get("CIO_WAREHOUSE") or settings().home / "warehouse.duckdb")


def _write(file: TextIO, head: Cells, rows: Iterable[Cells]) -> int:
    """Write a table, and say how many rows it has."""
    table = csv.writer(file)
    table.writerow(head)
    written = 0
    for row in rows:
        table.writerow(row)
        written += 1
    return written


@contextmanager
def _opened(out: str) -> Generator[TextIO]:
    """Standard output, or a file that only its owner reads and that is there once it is whole."""
    if out == "-":
        yield sys.stdout
        return
    part = put_at(Path(out)).with_name(f"{Path(out).name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _say(name: str, for_: Format, written: int, upload: Upload) -> None:
    left = {
        "held out": upload.held_out,
        "without an email address or phone number that can be matched": upload.without_keys,
        "with the same keys as another": upload.same_keys,
        "cells that begin with ' so that no spreadsheet runs them": upload.inert,
    }
    told = "".join(f"; {number:,} {what}" for what, number in left.items() if number)
    typer.echo(f"{name}: {written:,} rows{told}.", err=True)
    smallest = PLATFORMS[for_].smallest if for_ in PLATFORMS else 0
    if written < smallest:
        typer.echo(f"{for_} wants {smallest:,} rows or more.", err=True)

"""Loading files of rows: what `source load` does to tables whose columns the files have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cio_pipeline.cli.raw_lines import Loaded, show_left_out
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.bad_rows import set_aside
from cio_pipeline.sources.known_rows import missing_rows, new_rows
from cio_pipeline.sources.load import bad_rows_error, read_good_rows
from cio_pipeline.sources.tables import commit_rows

NAMED = 5
"""Rows that are named of those that vanished; `--json` has all."""


@dataclass(frozen=True)
class How:
    """How rows are loaded: when, where bad ones are kept (None: they refuse all), what else."""

    at: datetime | None
    aside: Path | None
    delimiter: str
    replaces: bool


def load_rows(
    table: SourceTable, files: Sequence[Path], how: How, uri: str, options: Mapping[str, str]
) -> Loaded:
    """Load files of rows; with a folder for bad ones, the others without them.

    Of an append-only table, rows that are there already are left out: they would be sent again.
    """
    found = read_good_rows(files, table, how.delimiter)
    if how.aside is not None:
        set_aside(files, found.bad, how.aside, how.delimiter)
    elif found.bad:
        if len(found.bad) > 1:
            show_left_out(found.bad, f"Bad rows for {table.name}")
        raise bad_rows_error(found.bad)
    rows, known = found.rows, 0
    if table.kind is TableKind.APPEND_ONLY:
        rows, known = new_rows(uri, table, rows, options)
    workspaces: list[int] = rows["workspace_id"].unique().to_list() if how.replaces else []
    gone = missing_rows(uri, table, rows, workspaces, options).rows() if workspaces else []
    version = commit_rows(uri, table, rows, how.at, options, all_of=workspaces)
    return Loaded(rows.height, version, found.bad, known, gone)


def one_character(delimiter: str) -> str:
    """The character that is meant; raises InvalidConfig."""
    found = "\t" if delimiter in {"tab", "\\t"} else delimiter
    if len(found.encode()) != 1 or found in '"\r\n':
        raise InvalidConfig(
            f"'{delimiter}' cannot stand between cells.",
            "Give one character, such as ';', or the word tab.",
        )
    return found


def replacing(table: SourceTable, wanted: bool, aside: Path | None) -> bool:  # noqa: FBT001 - of the command line
    """Whether rows are removed; raises InvalidConfig for a table whose rows stay.

    So it does where bad rows are set aside: they would be missing, and count as vanished.
    """
    if wanted and aside is not None:
        raise InvalidConfig(
            "With --replace the files must hold all rows: bad ones that are left out would vanish.",
            "Correct the bad rows and leave --quarantine-bad out, or load without --replace.",
        )
    if wanted and table.kind is TableKind.APPEND_ONLY:
        raise InvalidConfig(
            f"Rows of {table.name} stay once they are written: it is append-only.",
            "Leave --replace out; rows that are there already are left out anyway.",
        )
    return wanted


def told_of_vanished(table: SourceTable, gone: Sequence[Sequence[object]]) -> str:
    """Which rows were removed, and what readers will hear of it."""
    if not gone:
        return "Nothing vanished."
    first = ", ".join(" ".join(map(str, identity[1:])) for identity in gone[:NAMED])
    more = f" and {len(gone) - NAMED:,} more" if len(gone) > NAMED else ""
    told = any(one.source == table.name and one.split for one in EXPORTS.values())
    sent = (
        "The next window tells readers that they were deleted."
        if told
        else "No file tells of that: hard deletes are sent of people, objects and object types."
    )
    return f"{len(gone):,} vanished: {first}{more}. {sent}"

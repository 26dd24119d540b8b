"""What `source load` does: files of rows, and NDJSON files of what the feeds forward."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from cio_pipeline.cli.output import print_table
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.bad_rows import set_aside
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.known_rows import known_rows, missing_rows, new_rows
from cio_pipeline.sources.load import bad_rows_error, read_good_rows
from cio_pipeline.sources.message_lines import MessageLines
from cio_pipeline.sources.tables import commit_rows

SHOWN = 50
"""Lines in the table of those left out; `--json` has all."""


@dataclass(frozen=True)
class Loaded:
    """What a load came to: rows, the table's version, and the lines that were left out.

    `known` rows were there already. `vanished` are the identities of those that were removed.
    """

    rows: int
    version: int
    bad: Sequence[BadLine] = ()
    known: int = 0
    vanished: Sequence[Sequence[object]] = ()


@dataclass(frozen=True)
class Into:
    """Where lines go: whose they are, when they came in, and the source."""

    workspace_id: int
    received: datetime
    uri: str
    options: Mapping[str, str]
    at: datetime | None


def whose(table: SourceTable, files: Sequence[Path], workspace: int | None) -> int | None:
    """The workspace of raw lines; None if the files are rows of the table, which name theirs.

    Raises InvalidConfig if a workspace is missing, or given where it says nothing.
    """
    ndjson = all(file.suffix.lower() in {".ndjson", ".jsonl"} for file in files)
    raw = table.name in {CALLS.source, MESSAGES.source} and ndjson
    if raw and workspace is None:
        raise InvalidConfig(
            f"{table.name.capitalize()} do not say whose they are.",
            "Name their workspace with --workspace.",
        )
    if not raw and workspace is not None:
        raise InvalidConfig(
            "--workspace is for NDJSON files of messages and calls.", "Leave it out."
        )
    return workspace


def load_lines(table: SourceTable, files: Sequence[Path], into: Into) -> Loaded:
    """Load raw lines in one commit; those that cannot be understood are left out and told.

    So are those that an earlier load brought: a file loaded again changes nothing.
    """
    if table.name == CALLS.source:
        calls = CallLines(into.workspace_id, into.received)
        version, known = _append(table, _of_all(calls, files), into)
        return Loaded(calls.rows - known, version, calls.bad, known)
    messages = MessageLines(into.workspace_id, into.received)
    version, known = _append(table, _of_all(messages, files), into)
    return Loaded(messages.rows - known, version, messages.bad, known)


def show_left_out(bad: Sequence[BadLine], title: str = "Left out") -> None:
    """The lines that were left out, with reasons; nothing if there are none."""
    if bad:
        lines = [(one.file, one.line, one.reason) for one in bad[:SHOWN]]
        more = [("…", None, f"{len(bad) - SHOWN:,} more; `--json` has all")]
        rows = lines if len(bad) <= SHOWN else [*lines, *more]
        print_table(f"{title}: {len(bad)}", ("file", "line", "reason"), rows)


def _of_all(lines: CallLines | MessageLines, files: Sequence[Path]) -> Iterator[pl.DataFrame]:
    for file in files:
        yield from lines.read(file)


def _append(table: SourceTable, batches: Iterator[pl.DataFrame], into: Into) -> tuple[int, int]:
    """The version, and how many rows were there already."""
    known = known_rows(into.uri, table, into.options)
    some = known.without(batch for batch in batches if not batch.is_empty())
    version = append_rows(into.uri, table, some, into.at, storage_options=into.options)
    return version, known.met


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
        "The next window tells readers that they were deleted; who is put back after that needs a "
        f"later {table.grows}."
        if told
        else "No file tells of that: hard deletes are sent of people, objects and object types."
    )
    return f"{len(gone):,} vanished: {first}{more}. {sent}"

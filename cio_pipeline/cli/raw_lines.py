"""Loading NDJSON files of what the feeds forward: calls and messages as they came in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from cio_pipeline.cli.output import print_table
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.exports.calls import CALLS
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.call_lines import CallLines
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.known_rows import known_rows
from cio_pipeline.sources.message_lines import MessageLines

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

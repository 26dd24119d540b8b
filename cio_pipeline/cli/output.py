"""How results are shown: rich tables for people, JSON on standard output for scripts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cio_pipeline.model.failures import Failure, Tried

LOG_WIDTH = 160
"""Columns of output that is no terminal: nobody resizes a log."""

SHORT = 24
"""Text up to this length is not wrapped: names and times stay whole."""


def _console() -> Console:
    found = Console()
    return found if found.is_terminal else Console(width=LOG_WIDTH)


CONSOLE = _console()


def print_json(value: object) -> None:
    """Print dataclasses, lists and plain values as JSON."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Failure):
        return str(value)
    told = {one.name: getattr(value, one.name) for one in fields(value)}
    return told | {"held": value.held} if isinstance(value, Tried) else told


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing"
) -> None:
    """Print a table; numbers are right-aligned and grouped. `empty` is shown for no rows."""
    found = [tuple(row) for row in rows]
    if not found:
        CONSOLE.print(f"{title}: {empty}", highlight=False)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    # A column without any value tells nothing.
    shown = [at for at in range(len(columns)) if any(row[at] not in (None, "") for row in found)]
    for at in shown:
        values = [row[at] for row in found]
        numeric = all(isinstance(value, int) or value is None for value in values)
        short = max(len(_cell(value)) for value in values) <= SHORT
        justify = "right" if numeric else "left"
        table.add_column(columns[at], justify=justify, overflow="fold", no_wrap=short)
    for row in found:
        table.add_row(*(Text(_cell(row[at])) for at in shown))
    CONSOLE.print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
        case _:
            return str(value)

"""How results are shown: rich tables for people, JSON on standard output for scripts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

CONSOLE = Console()


def print_json(value: object) -> None:
    """Print dataclasses, lists and plain values as JSON."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return asdict(value)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing"
) -> None:
    """Print a table; numbers are right-aligned and grouped. `empty` is shown for no rows."""
    found = list(rows)
    if not found:
        CONSOLE.print(f"{title}: {empty}", highlight=False)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for at, column in enumerate(columns):
        numeric = all(isinstance(row[at], int) or row[at] is None for row in found)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in found:
        table.add_row(*(_cell(value) for value in row))
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

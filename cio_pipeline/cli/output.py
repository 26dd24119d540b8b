"""How results are shown: tables for people, JSON on standard output for scripts.

Belongs here: all that prints data. Rich's markup is off: data may hold brackets and colons.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cio_pipeline.model.failures import Failure, Tried

LOG_WIDTH = 160
"""Columns of output that is no terminal and says nothing of its width: nobody resizes a log."""

SHORT = 24
"""Text up to this length is not wrapped: names and times stay whole."""

WHOLE = 40
"""Words up to this length, such as paths and ids, are not broken."""

NAMED = 2
"""Exports or syncs that are named one by one."""

_BORDERS = 3
"""What each column costs besides its text."""


_OBEYED = dict.fromkeys(
    [
        *(one for one in (*range(0x20), *range(0x7F, 0xA0)) if chr(one) not in "\t\n"),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    ],
    "\N{REPLACEMENT CHARACTER}",
)
"""Control characters, and those that turn text around; halves of surrogate pairs cannot be put."""


def harmless(text: str) -> str:
    """A text without what a terminal would obey: people write their ids and names themselves."""
    return text.replace("\r\n", "\n").translate(_OBEYED)


class _Console(Console):
    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(harmless(text), **how)


def console(*, stderr: bool = False) -> Console:
    """A console that shows data as it is: brackets are no markup, `:x:` is no picture.

    A terminal obeys none of it.
    """
    found = _Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = LOG_WIDTH
    return found


CONSOLE = console()


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
    """Print a table; numbers are right-aligned and grouped. `empty` is shown for no rows.

    Where it is too wide, lines between columns go; where that is not enough, each row is a block.
    """
    found = [tuple(row) for row in rows]
    if not found:
        CONSOLE.print(f"{title}: {empty}")
        return
    # A column without any value tells nothing.
    shown = [at for at in range(len(columns)) if any(row[at] not in (None, "") for row in found)]
    read = [_Column(columns[at], [row[at] for row in found]) for at in shown]
    CONSOLE.print(title, style="italic")
    least = sum(one.least for one in read)
    if least + len(read) * _BORDERS < CONSOLE.width:
        CONSOLE.print(_beside(read, Table(header_style="bold")))
    elif least + len(read) <= CONSOLE.width:
        bare = Table(header_style="bold", box=None, padding=(0, 1, 0, 0), pad_edge=False)
        CONSOLE.print(_beside(read, bare))
    else:
        CONSOLE.print(_below(read))


class _Column:
    """A column as text: UTC is said in its head if it holds times alone, else with each."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        given = [value for value in values if value not in (None, "", "never")]
        times = bool(given) and all(isinstance(value, datetime) for value in given)
        self.name = f"{name} (UTC)" if times else name
        texts = [harmless(told(value)) for value in values]
        self.cells = [text.removesuffix(" UTC") for text in texts] if times else texts
        self.numeric = all(type(value) is int for value in given)
        longest = max(len(line) for cell in self.cells for line in (cell.splitlines() or [""]))
        self.short = longest <= SHORT
        word = max((len(word) for cell in self.cells for word in cell.split()), default=0)
        heads = max(map(len, self.name.split()))
        self.least = max(min(longest, SHORT), min(word, WHOLE), heads)
        self.head = "\n".join(wrap(self.name, max(longest, self.least)))


def _beside(columns: Sequence[_Column], table: Table) -> Table:
    for one in columns:
        justify = "right" if one.numeric else "left"
        table.add_column(one.head, justify=justify, overflow="fold", no_wrap=one.short)
    for row in zip(*(one.cells for one in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def _below(columns: Sequence[_Column]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for number, row in enumerate(zip(*(one.cells for one in columns), strict=True)):
        if number:
            table.add_row("", "")
        for one, cell in zip(columns, row, strict=True):
            if cell:
                table.add_row(Text(one.name), Text(cell))
    return table


def told(value: object) -> str:
    """A value in words: never as a programming language writes it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        case Mapping():
            parts = cast("Mapping[object, object]", value).items()
            return (
                ", ".join(f"{told(name)}: {told(one) or 'none'}" for name, one in parts) or "none"
            )
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(told, cast("Iterable[object]", value))) or "none"
        case _:
            return "" if value is None else str(value)


def named(names: Sequence[str], what: str) -> str:
    """A few by their names, many by their number."""
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} {what}"


def words(name: str) -> str:
    """The name of a kind in words: `NotDue` is "not due"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()

"""What a benchmark found: a table for people, numbers for machines."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
MILLION = 1_000_000


@dataclass(frozen=True)
class Report:
    """One benchmark's outcome: goal and what was reached as text, numbers as measured."""

    name: str
    title: str
    goal: str
    reached: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: dict[str, Any] = field(default_factory=dict)


def show(report: Report, console: Console) -> None:
    """Print the table."""
    table = Table(title=report.title, caption=f"Goal: {report.goal}\nHere: {report.reached}")
    for number, name in enumerate(report.header):
        table.add_column(name, justify="right" if number else "left")
    for row in report.rows:
        table.add_row(*row)
    console.print(table)


def save(report: Report, scale: float) -> Path:
    """Keep the report as JSON, named by benchmark and time; the path."""
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y%m%dT%H%M%S}-{report.name}.json"
    about = {"at": now.isoformat(), "scale": scale, "machine": machine(), **asdict(report)}
    path.write_text(json.dumps(about, indent=2) + "\n")
    return path


def machine() -> dict[str, float]:
    """The size of this machine, and how busy it is just now."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages * size / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def counted(number: int) -> str:
    """A number of rows, short: 1 M, 100 k."""
    if number >= MILLION:
        return f"{number / MILLION:g} M"
    return f"{number / 1000:g} k" if number >= 1000 else str(number)  # noqa: PLR2004 - a thousand

"""What stands above a sync's page: is it late, and why."""

from collections.abc import Sequence
from datetime import timedelta

from cio_pipeline.cli.output import CONSOLE, print_table
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.checking.overview import Condition, SyncRow
from cio_pipeline.pipeline.scheduling.standing import Wrong

_STYLES = {
    Condition.WELL: "bold green",
    Condition.FIRST: "bold yellow",
    Condition.PAUSED: "bold yellow",
    Condition.DISABLED: "bold yellow",
}


def print_condition(row: SyncRow, wrong: Sequence[Wrong]) -> None:
    """One sentence, and a row for each thing that is wrong, with what to do."""
    CONSOLE.print(_sentence(row), style=_STYLES.get(row.condition, "bold red"))
    if row.running:
        CONSOLE.print(f"{row.running} works on it now.")
    rows = [(one.kind, ", ".join(one.of), one.since, one.why, one.next_step) for one in wrong]
    if rows:
        print_table("Wrong", ("what", "exports", "since", "why", "what to do"), rows)


def _sentence(row: SyncRow) -> str:
    mark = "✓" if row.condition is Condition.WELL else "✗"
    if row.until is None:
        so_far = "not all of its exports have begun"
    else:
        so_far = f"all was delivered up to {utc(row.until)}, {span(row.lag)} ago"
    return f"{mark} {row.condition.value}: {so_far}; due up to {utc(row.due)}"


def span(seconds: float | None) -> str:
    """A span of time in the two units that matter."""
    if seconds is None:
        return ""
    minutes = int(timedelta(seconds=seconds).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

"""What a run sent, as scripts read it and as people see it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cio_pipeline.cli.output import CONSOLE, named, print_table

NAMED = 3
"""Exports that are named of those that another run holds."""


@dataclass(frozen=True)
class SentRow:
    """What one export of one window sent, over all syncs."""

    window: str
    export: str
    syncs: int
    files: int
    rows: int
    bytes: int
    quarantined: int
    failed: int
    busy: int


@dataclass(frozen=True)
class NotContinued:
    """A sync whose chain of manifests could not be continued, and why."""

    sync_id: str
    error: str


@dataclass(frozen=True)
class Held:
    """An export of a sync that was left to another run, and until when that one holds it."""

    sync_id: str
    export: str
    owner: str
    until: str


@dataclass(frozen=True)
class WindowRun:
    """One run: its id in the Dagster UI, whether it succeeded, what it sent, what it left unlisted.

    `success` is Dagster's: no step failed. `failed` is for scripts: something was left undone.
    """

    window: str
    run_id: str
    success: bool
    sent: tuple[SentRow, ...]
    errors: tuple[str, ...]
    unlisted: tuple[NotContinued, ...]
    held: tuple[Held, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a step failed, or something was left undone for a sync."""
        return not self.success or bool(self.unlisted) or any(one.failed for one in self.sent)


def any_held(runs: Sequence[WindowRun]) -> bool:
    """Whether something was left to another run, the last time that its window ran."""
    return any(run.held for run in {run.window: run for run in runs}.values())


def show_runs(runs: Sequence[WindowRun]) -> None:
    """A table of what was sent, and every failure."""
    rows = [
        (s.window, s.export, s.files, s.rows, s.bytes, s.quarantined, s.failed)
        for run in runs
        for s in run.sent
        if s.files or s.failed or s.quarantined
    ]
    columns = ("window (UTC)", "export", "files", "rows", "bytes", "quarantined", "failed")
    print_table("Sent", columns, rows, "nothing was sent" if any_held(runs) else "nothing new")
    show_failures(runs)


def show_side_by_side(runs: Sequence[WindowRun]) -> None:
    """A row per export and a column per window: rows in files."""
    sent = {(s.export, run.window): s for run in runs for s in run.sent if s.files}
    exports = [s.export for s in runs[0].sent] if runs else []
    rows = [
        (export, *(_rows_in_files(sent.get((export, run.window))) for run in runs))
        for export in exports
    ]
    columns = ("export", *(run.window[-5:] for run in runs))
    print_table("Rows in files, per window (UTC)", columns, rows)
    show_failures(runs)


def _rows_in_files(sent: SentRow | None) -> str:
    return f"{sent.rows:,} in {sent.files}" if sent else "-"


def show_failures(runs: Sequence[WindowRun]) -> None:
    """What went wrong, in words."""
    for run in runs:
        for error in run.errors:
            CONSOLE.print(f"{run.window}: {error}", style="red")
        for one in run.unlisted:
            CONSOLE.print(f"{run.window}: manifest of {one.sync_id}: {one.error}", style="red")
        if failed := [one.export for one in run.sent if one.failed]:
            most = max(one.failed for one in run.sent)
            of = "a sync" if most == 1 else f"up to {most} syncs"
            CONSOLE.print(
                f"{run.window}: {named(failed, 'exports')} of {of} failed; `cio-pipeline status` "
                "tells which and why, and so do the checks in the Dagster UI.",
                style="red",
            )
        for text in who_holds(run):
            again = "Run it again then, or with --wait."
            CONSOLE.print(f"{text} {again}", style="yellow")
        for notice in run.notices:
            CONSOLE.print(f"{run.window}: {notice}", style="yellow")


def who_holds(run: WindowRun) -> Iterator[str]:
    """Whom the run left something to, and until when."""
    for owner in sorted({one.owner for one in run.held}):
        its = [one for one in run.held if one.owner == owner]
        names = sorted({f"{one.export} of {one.sync_id}" for one in its})
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield (
            f"{run.window}: waits for {owner}, which works on {', '.join(names[:NAMED])}{more} "
            f"until {max(one.until for one in its)} UTC unless it goes on."
        )

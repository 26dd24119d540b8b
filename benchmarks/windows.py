"""A window of Dagster with 1,000 syncs and 15 exports: one full of changes, one without any."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measure import in_child
from benchmarks.product import Product, fresh
from benchmarks.report import Report
from cio_pipeline.contracts.catalog import EXPORTS

SYNCS = 1000
ROUNDS = 3
ROUNDS_BUSY = 2
GOAL_BUSY_CPU = 39
GOAL_BARE = 1.7
GOAL_BUSY_MIB = 2048
GOAL_IDLE_CPU = 0.5


def run_busy(data: Path, scale: float) -> Report:
    """One window in which every export of every sync has something to send."""
    syncs = syncs_at(scale)
    made = made_window(data, syncs, changes=True)
    rounds = [_run(data, made, "window_run:run_window", bare=True) for _ in range(ROUNDS_BUSY)]
    found = min(rounds, key=lambda cost: cost["cpu"])
    bare = min((one["bare"] for one in rounds), key=lambda cost: cost["cpu"])
    ratio = found["cpu"] / bare["cpu"]
    return Report(
        "busy_window",
        f"One window: {syncs} syncs, {len(EXPORTS)} exports, changes in each",
        f"{GOAL_BARE} of the CPU s of a bare sink_parquet(PartitionBy), "
        f"{GOAL_BUSY_CPU * syncs // SYNCS} CPU s, peak under {GOAL_BUSY_MIB:,} MiB",
        f"{ratio:.2f} of it, {found['cpu']:.1f} CPU s, {found['peak']:,} MiB",
        ("", "files", "CPU s", "of these the kernel's", "files per CPU s", "files per s"),
        [_busy_row("bare Polars sinks", bare), _busy_row("cio-pipeline", found)],
        {"syncs": syncs, "rounds": rounds, "ratio": ratio, **found},
    )


def _busy_row(name: str, cost: dict[str, Any]) -> tuple[str, ...]:
    files, cpu = cost["files"], cost["cpu"]
    rates = (f"{files / cpu:,.0f}", f"{files / cost['wall']:,.0f}")
    return (name, f"{files:,}", f"{cpu:.1f}", f"{cost['kernel']:.1f}", *rates)


def run_idle(data: Path, scale: float) -> Report:
    """A window in which nothing changed, against the same job without any sync."""
    syncs = syncs_at(scale)
    made = made_window(data, syncs, changes=False)
    kinds = {
        "a job of one asset that does nothing": (None, "window_run:run_nothing"),
        "the window's job without any sync": (None, "window_run:run_window"),
        f"the window's job with {syncs} syncs": (made, "window_run:run_window"),
    }
    rounds = [
        {name: _run(data, ledger, job, source=made) for name, (ledger, job) in kinds.items()}
        for _ in range(ROUNDS)
    ]
    best = {
        name: min((one[name] for one in rounds), key=lambda cost: cost["cpu"]) for name in kinds
    }
    _, empty, idle = (one["cpu"] for one in best.values())
    return Report(
        "idle_window",
        f"An idle window with {syncs} syncs",
        f"within {GOAL_IDLE_CPU:g} CPU s of the same job without any sync",
        f"{idle - empty:.2f} CPU s above the same job without any sync",
        ("", "CPU s", "wall s", "peak MiB"),
        [
            (name, f"{one['cpu']:.2f}", f"{one['wall']:.1f}", f"{one['peak']:,}")
            for name, one in best.items()
        ],
        {"syncs": syncs, "rounds": rounds, "above_empty": idle - empty},
    )


def syncs_at(scale: float) -> int:
    """How many syncs a window has."""
    return max(10, int(SYNCS * scale))


def made_window(data: Path, syncs: int, *, changes: bool) -> Path:
    """The prepared product, made if missing; it is only copied from."""
    made = data / f"windows-{syncs}-{'busy' if changes else 'idle'}"
    if not made.exists():
        unfinished = made.with_name(f"{made.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        in_child("window_data:prepare", folder=str(unfinished), syncs=syncs, changes=changes)
        unfinished.rename(made)
    return made


def _run(
    data: Path,
    made: Path | None,
    job: str,
    source: Path | None = None,
    *,
    bare: bool = False,
) -> dict[str, Any]:
    """A job in a fresh product: with the ledger that was `made`, or with an empty one.

    With `bare`, too, what its rows cost in bare sinks.
    """
    with fresh(data / "product") as home:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        if made is not None:
            copy_ledger(made / "ledger.db", home / "ledger.db")
        product = Product(home, (source or made or data) / "source")
        found = product.run(job)
        found["files"] = sum(1 for path in home.glob("bucket/*/*.parquet"))
        if bare:
            found["bare"] = product.run("window_run:run_bare", bucket=str(home / "bucket"))
        return found


def copy_ledger(source: Path, target: Path) -> None:
    """With what still stands in its write-ahead log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)

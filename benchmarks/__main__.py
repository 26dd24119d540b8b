"""`python -m benchmarks [NAME…]`: run benchmarks, print their tables, save their numbers."""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks import (
    beside_dlt,
    calls,
    changeset_history,
    checks,
    contract,
    full_ledger,
    initial_export,
    messages,
    peak_memory,
    postgres_reads,
    postgres_writers,
    starts,
    warehouse,
    windows,
    workers,
)
from benchmarks.report import Report, machine, save, show

BENCHMARKS: Mapping[str, Callable[[Path, float], Report]] = {
    "initial_export": initial_export.run,
    "changeset_history": changeset_history.run,
    "peak_memory": peak_memory.run,
    "busy_window": windows.run_busy,
    "idle_window": windows.run_idle,
    "two_workers": workers.run,
    "calls": calls.run,
    "messages": messages.run,
    "contract": contract.run,
    "checks": checks.run,
    "full_ledger": full_ledger.run,
    "starts": starts.run,
    "warehouse": warehouse.run,
    "postgres_rate": postgres_reads.run_rate,
    "postgres_history": postgres_reads.run_history,
    "postgres_memory": postgres_reads.run_memory,
    "postgres_dlt": beside_dlt.run,
    "postgres_writers": postgres_writers.run,
}


def main() -> None:
    """Run what the command line names; data is kept only if it names a folder for it."""
    chosen = _arguments()
    console = Console()
    console.print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory(prefix="cio-benchmarks-") as temporary:
        data = Path(chosen.data or temporary).absolute()
        data.mkdir(parents=True, exist_ok=True)
        for name in chosen.names or BENCHMARKS:
            report = BENCHMARKS[name](data, chosen.scale)
            show(report, console)
            console.print(f"Saved {save(report, chosen.scale).relative_to(Path.cwd())}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="default: all")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="0.1 for a tenth of rows and syncs"
    )
    parser.add_argument("--data", help="keep generated tables in this folder (5 GB at scale 1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

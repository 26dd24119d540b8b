"""`python -m benchmarks.against COMMIT [CASE…]`: this build against that of a commit.

Both run each case in turn, on data that each makes in the same way; the better round of each
counts. Nothing of the working tree is touched.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.product import fresh
from benchmarks.report import machine

ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("cases.py")


@dataclass(frozen=True)
class Case:
    """A number of a build: its unit, whether more of it is better, and the goal as a ratio."""

    unit: str
    more: bool = False
    goal: float | None = None


CASES = {
    "calls_json": Case("rows a CPU s", more=True, goal=8),
    "calls_csv": Case("rows a CPU s", more=True, goal=8),
    "calls_parquet": Case("rows a CPU s", more=True, goal=8),
    "messages": Case("CPU s", goal=1 / 3),
    "busy": Case("CPU s", goal=0.5),
    "idle": Case("CPU s above no syncs"),
    "initial": Case("CPU s"),
}


def main() -> None:
    """Check the commit out beside, run the cases, print ratios with their goals."""
    told = _arguments()
    with tempfile.TemporaryDirectory(prefix="cio-against-") as temporary:
        folder = Path(temporary)
        then = _checked_out(told.commit, folder / "then")
        table = Table(title=f"This build against {told.commit}", caption=f"Machine: {machine()}")
        for name in ("", "unit", told.commit, "now", "ratio", "goal"):
            table.add_column(name, justify="left" if name in {"", "unit"} else "right")
        for name in told.names or CASES:
            rounds = [
                [_run(tree, name, folder / "data", told.scale) for tree in (then, ROOT)]
                for _ in range(told.rounds)
            ]
            table.add_row(*_row(name, rounds))
        Console().print(table)


def _checked_out(commit: str, folder: Path) -> Path:
    """The commit's files in a folder of their own."""
    folder.mkdir()
    archive = subprocess.run(  # noqa: S603 - a commit of our own
        ["git", "archive", commit],  # noqa: S607
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)  # noqa: S607
    return folder


def _run(tree: Path, name: str, data: Path, scale: float) -> float:
    with fresh(data) as folder:
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, SCRIPT, name, folder, str(scale)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"},
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def _row(name: str, rounds: list[list[float]]) -> tuple[str, ...]:
    case = CASES[name]
    then, now = ((max if case.more else min)(one) for one in zip(*rounds, strict=True))
    ratio = now / then
    goal = "" if case.goal is None else f"{'≥' if case.more else '≤'} {case.goal:.2f}"
    return (name, case.unit, f"{then:,.2f}", f"{now:,.2f}", f"{ratio:.2f}", goal)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("names", nargs="*", choices=[[], *CASES], help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1 for a tenth of everything")
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()

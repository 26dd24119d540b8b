"""What each verb of the command line costs before it has anything to do, against bare imports."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.report import Report

GOAL = 0.8
ROUNDS = 3
BARE = "import polars, deltalake, sqlalchemy"
LIBRARIES = (
    "import gc; gc.disable(); import sqlalchemy.dialects.sqlite, rich.table, typer.main; "
    "from pydantic import BaseModel, TypeAdapter; gc.freeze()"
)
"""What no verb that asks the ledger can do without."""
VERB = "from cio_pipeline.cli.app import main; main()"
VERBS = (
    "--help",
    "status",
    "quarantine list",
    "quarantine retry",
    "sync list",
    "sync show none",
    "sync pause none",
    "sync validate",
    "source status",
    "source load people none.csv",
    "ledger check",
    "ledger prune",
    "plan",
    "export --now",
    "verify",
)


def run(data: Path, scale: float) -> Report:  # noqa: ARG001 - what all benchmarks take
    """The verbs on a deployment without syncs, in turn with the imports; the least CPU of some."""
    calls = {verb: (VERB, *verb.split()) for verb in VERBS}
    costs = {verb: min(_cpu(data, *call) for _ in range(ROUNDS)) for verb, call in calls.items()}
    bare = min(_cpu(data, BARE) for _ in range(2 * ROUNDS))
    least = min(_cpu(data, LIBRARIES) for _ in range(ROUNDS))
    ratios = {verb: cost / bare for verb, cost in costs.items()}
    worst = max(ratios, key=lambda verb: ratios[verb])
    return Report(
        "starts",
        "Starts of the command line",
        f"at most {GOAL:g} of the CPU of `{BARE}` ({bare:.2f} s)",
        f"{sum(ratio <= GOAL for ratio in ratios.values())} of {len(ratios)} verbs; "
        f"`{worst}` takes {ratios[worst]:.1f} of it, what all import {least / bare:.2f}",
        ("verb", "CPU s", "ratio"),
        [(verb, f"{costs[verb]:.2f}", f"{ratio:.2f}") for verb, ratio in ratios.items()],
        {"bare": bare, "libraries": least, "seconds": costs},
    )


def _cpu(home: Path, code: str, *arguments: str) -> float:
    """CPU seconds of a Python that runs the code; the exit code says nothing of the cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "CIO_HOME": str(home / "none")},
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

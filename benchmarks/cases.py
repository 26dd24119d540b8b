"""What `benchmarks.against` runs in each of two builds: a script that uses what the build has.

`python cases.py NAME FOLDER SCALE` with a build's root as PYTHONPATH prints a number, what it cost
or did in a second. Only what all builds since 7195cd0 have is used of `benchmarks`.
"""

# pyright: basic

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

CALLS = 100_000
MESSAGES = 200_000
METRICS = 3_000_000


def calls(file_format: str) -> Callable[[Path, float], float]:
    """Rows a CPU second into files of a format, the best of some rounds."""

    def rows_per_second(folder: Path, scale: float) -> float:
        from benchmarks.calls import _rows  # noqa: PLC0415 - of the build
        from cio_pipeline.files.encode_calls import CallFormat, encode_calls  # noqa: PLC0415
        from cio_pipeline.files.spool import Spool  # noqa: PLC0415

        rows = _rows(int(CALLS * scale))
        how = CallFormat(file_format, "us", rows_per_file=200_000)
        took: list[float] = []
        for _ in range(3):
            begun = _cpu()
            encode_calls(rows.lazy(), how, spool=Spool(folder), folder="calls-1")
            took.append(_cpu() - begun)
        return rows.height / min(took)

    return rows_per_second


def messages(folder: Path, scale: float) -> float:
    """CPU seconds of a window into a folder."""
    from benchmarks.messages import NOON, _body, _prepared  # noqa: PLC0415 - of the build
    from cio_pipeline.model.scope import Scope  # noqa: PLC0415
    from cio_pipeline.model.windows import data_out_window  # noqa: PLC0415
    from cio_pipeline.pipeline.run_export import run_export  # noqa: PLC0415

    try:
        from cio_pipeline.pipeline.committing.commit import commit_window  # noqa: PLC0415
    except ImportError:  # as it was called in 7195cd0
        from cio_pipeline.pipeline.manifests.write_manifests import (  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
            write_manifests as commit_window,
        )

    count = int(MESSAGES * scale)
    services = _prepared(folder, [_body(number) for number in range(count)])
    begun, window = _cpu(), data_out_window(NOON)
    (outcome,) = run_export(services, "messages", window, Scope())
    commit_window(services, window)
    if outcome.error or outcome.files != count:
        raise RuntimeError(outcome)
    return _cpu() - begun


def busy(folder: Path, scale: float) -> float:
    """CPU seconds of a window of many syncs with changes in each export."""
    from benchmarks.windows import run_busy  # noqa: PLC0415 - of the build

    return run_busy(folder, scale).numbers["cpu"]


def idle(folder: Path, scale: float) -> float:
    """CPU seconds of a window without changes above those of the job without syncs."""
    from benchmarks.windows import run_idle  # noqa: PLC0415 - of the build

    return run_idle(folder, scale).numbers["above_empty"]


def initial(folder: Path, scale: float) -> float:
    """CPU seconds of an initial export of metrics."""
    from benchmarks.initial_export import measured_export  # noqa: PLC0415 - of the build
    from benchmarks.metrics_table import metrics_table, workspaces  # noqa: PLC0415

    source = metrics_table(folder, int(METRICS * scale), 0.3 * scale)
    return measured_export(folder / "product", source, workspaces(0.3 * scale))["cpu"]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


CASES: dict[str, Callable[[Path, float], float]] = {
    "calls_json": calls("json"),
    "calls_csv": calls("csv"),
    "calls_parquet": calls("parquet"),
    "messages": messages,
    "busy": busy,
    "idle": idle,
    "initial": initial,
}

if __name__ == "__main__":
    case, home, size = sys.argv[1:]
    sys.stdout.write(f"\n{json.dumps(CASES[case](Path(home), float(size)))}\n")

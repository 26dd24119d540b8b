"""Peak memory of an initial export of 1 M, 10 M and 50 M metrics rows: it must stay flat."""

from pathlib import Path

from benchmarks.initial_export import measured_export
from benchmarks.metrics_table import metrics_table, workspaces
from benchmarks.report import MILLION, Report, counted

SIZES = (1, 10, 50)
GOAL_MIB = 1024


def run(data: Path, scale: float) -> Report:
    """Each size in a process of its own; the mark is Linux' VmHWM."""
    sizes = [int(size * MILLION * scale) for size in SIZES]
    found = {
        size: measured_export(data / "product", metrics_table(data, size, scale), workspaces(scale))
        for size in sizes
    }
    peaks = [found[size]["peak"] for size in sizes]
    return Report(
        "peak_memory",
        f"Peak memory of an initial export of metrics to {workspaces(scale)} workspaces",
        f"flat, under {GOAL_MIB:,} MiB",
        f"{min(peaks):,} to {max(peaks):,} MiB",
        ("rows", "peak MiB", "files", "CPU s", "rows per CPU s"),
        [
            (
                counted(size),
                f"{one['peak']:,}",
                f"{one['files']:,}",
                f"{one['cpu']:.1f}",
                f"{size / one['cpu'] / 1000:,.0f} k",
            )
            for size, one in found.items()
        ],
        {"exports": {str(size): one for size, one in found.items()}},
    )

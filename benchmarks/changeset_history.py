"""A changeset of 100,000 rows on histories of 1 M, 10 M and 50 M rows: the same work."""

from pathlib import Path
from typing import Any

from benchmarks.measure import measured, peak_mib
from benchmarks.metrics_table import changes, metrics_table, workspaces
from benchmarks.opened import opened_below
from benchmarks.product import NEXT, Product, fresh
from benchmarks.report import MILLION, Report, counted
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.run_export import run_export

SIZES = (1, 10, 50)
ROUNDS = 3


def run(data: Path, scale: float) -> Report:
    """Rounds over all sizes, the best of each."""
    sizes = [int(size * MILLION * scale) for size in SIZES]
    sources = {size: metrics_table(data, size, scale) for size in sizes}
    rounds = [
        {size: _measured(data / "product", sources[size], workspaces(scale)) for size in sizes}
        for _ in range(ROUNDS)
    ]
    best = {
        size: min((one[size] for one in rounds), key=lambda cost: cost["cpu"]) for size in sizes
    }
    least, most = best[sizes[0]], best[sizes[-1]]
    return Report(
        "changeset_history",
        f"A changeset of {counted(changes(scale))} rows on growing histories of metrics",
        "the same bytes read, the same number of source files and, within noise, the same time",
        f"{least['source_files']} and {most['source_files']} files, "
        f"{most['source_bytes'] / least['source_bytes']:.2f} times the bytes and "
        f"{most['cpu'] / least['cpu']:.2f} times the CPU on {sizes[-1] // sizes[0]} times the rows",
        ("history", "data files", "source files", "source MiB", "read() MiB", "CPU s", "peak MiB"),
        [
            (
                counted(size),
                f"{one['data_files']}",
                f"{one['source_files']}",
                f"{one['source_bytes'] / 2**20:.2f}",
                f"{one['read_bytes'] / 2**20:.1f}",
                f"{one['cpu']:.2f}",
                f"{one['peak']:,}",
            )
            for size, one in best.items()
        ],
        {"rounds": [{str(size): one for size, one in found.items()} for found in rounds]},
    )


def _measured(home: Path, source: Path, syncs: int) -> dict[str, Any]:
    given = {"folder": str(home), "source": str(source)}
    with fresh(home):
        product = Product(home, source)
        product.run("changeset_history:prepare", syncs=syncs, **given)
        return product.run("changeset_history:export", **given)


def prepare(folder: str, source: str, syncs: int) -> None:
    """Register the syncs as if all history had been sent."""
    product = Product(Path(folder), Path(source))
    product.register(syncs, ["metrics"])
    product.count_as_delivered(["metrics"])


def export(folder: str, source: str) -> dict[str, Any]:
    """The window's changeset; `data_files` are the table's own, the others those of its log."""
    services = Product(Path(folder), Path(source)).services()
    with opened_below(Path(source)) as opened, measured() as cost:
        outcomes = run_export(services, "metrics", NEXT, Scope())
    return {
        "cpu": cost.cpu,
        "wall": cost.wall,
        "read_bytes": cost.read_bytes,
        "peak": peak_mib(),
        "rows": sum(one.rows for one in outcomes),
        "source_files": len(opened.files),
        "source_bytes": opened.size,
        "data_files": len(
            [path for path in opened.of(".parquet") if "_delta_log" not in str(path)]
        ),
    }

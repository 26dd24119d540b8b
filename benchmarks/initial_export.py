"""Initial export of 10 M metrics rows in 1,000 workspaces, against bare Polars and DuckDB."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.measure import in_child, measured, peak_mib
from benchmarks.metrics_table import metrics_table, workspaces
from benchmarks.product import BEFORE, Product, fresh
from benchmarks.report import MILLION, Report, counted
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import CURRENT_VERSION
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.planning.cuts import decide_cut
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.sources.delta_table import DeltaTables

ROUNDS = 2
GOAL = 1.0
GOAL_DUCKDB = 1.4
GOAL_MIB = 1024


def run(data: Path, scale: float) -> Report:
    """All three in turn, the better round of each by the clock."""
    count = int(10 * MILLION * scale)
    source = metrics_table(data, count, scale)
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    duck: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        with fresh(data / "bare") as folder:
            bare.append(in_child("initial_export:sink", source=str(source), folder=str(folder)))
        with fresh(data / "duckdb") as folder:
            duck.append(in_child("initial_export:copy", source=str(source), folder=str(folder)))
        ours.append(measured_export(data / "product", source, workspaces(scale)))
    best, plain, copied = (min(some, key=lambda one: one["wall"]) for some in (ours, bare, duck))
    ratio = plain["wall"] / best["wall"]
    return Report(
        "initial_export",
        f"Initial export of {counted(count)} metrics rows in {workspaces(scale)} workspaces",
        f"by the clock at least {GOAL} of a bare sink_parquet(PartitionBy) and {GOAL_DUCKDB} of "
        f"DuckDB's COPY (PARTITION_BY), under {GOAL_MIB:,} MiB",
        f"{ratio:.2f} and {copied['wall'] / best['wall']:.2f} by the clock, "
        f"{plain['cpu'] / best['cpu']:.2f} and {copied['cpu'] / best['cpu']:.2f} by CPU seconds, "
        f"{best['peak']:,} MiB",
        ("", "CPU s", "wall s", "rows per CPU s", "files", "peak MiB"),
        [
            _row("bare Polars sink", plain, count),
            _row("DuckDB's COPY", copied, count),
            _row("cio-pipeline", best, count),
        ],
        {"rows": count, "bare": bare, "duckdb": duck, "ours": ours, "ratio": ratio},
    )


def measured_export(home: Path, source: Path, syncs: int) -> dict[str, Any]:
    """What the initial export of metrics to new syncs costs, from plan to commit."""
    given = {"folder": str(home), "source": str(source)}
    with fresh(home):
        product = Product(home, source)
        product.run("initial_export:prepare", syncs=syncs, **given)
        return product.run("initial_export:export", **given)


def prepare(folder: str, source: str, syncs: int) -> None:
    """Register the syncs, in a process of its own: it is no part of the measurement."""
    Product(Path(folder), Path(source)).register(syncs, ["metrics"])


def export(folder: str, source: str) -> dict[str, Any]:
    """The export itself."""
    services = Product(Path(folder), Path(source)).services()
    with measured() as cost:
        outcomes = run_export(services, "metrics", BEFORE, Scope())
    failed = [one.error for one in outcomes if one.error]
    if failed:
        raise RuntimeError(failed[0])
    return {
        "cpu": cost.cpu,
        "wall": cost.wall,
        "peak": peak_mib(),
        "files": sum(one.files for one in outcomes),
        "rows": sum(one.rows for one in outcomes),
    }


def sink(source: str, folder: str) -> dict[str, Any]:
    """The same rows and columns, split by workspace, with Polars alone."""
    cut = decide_cut(Product(Path(folder), Path(source)).services(), BEFORE.end).tables["metrics"]
    found = DeltaTables(source, {}).at(SOURCE_TABLES["metrics"], cut).delta
    names = [column.name for column in EXPORTS["metrics"].columns_of(CURRENT_VERSION)]
    with measured() as cost:
        pl.scan_parquet(sorted(found.file_uris())).select(names).sink_parquet(
            pl.PartitionBy(f"{folder}/bucket", key="workspace_id", include_key=True),
            compression="zstd",
            compression_level=3,
            statistics=True,
            mkdir=True,
            engine="streaming",
        )
    files = sum(1 for path in Path(folder).rglob("*.parquet"))
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib(), "files": files}


def copy(source: str, folder: str) -> dict[str, Any]:
    """The same with DuckDB alone, which adds a folder to each file's name for its workspace."""
    cut = decide_cut(Product(Path(folder), Path(source)).services(), BEFORE.end).tables["metrics"]
    files = sorted(DeltaTables(source, {}).at(SOURCE_TABLES["metrics"], cut).delta.file_uris())
    names = ", ".join(column.name for column in EXPORTS["metrics"].columns_of(CURRENT_VERSION))
    how = "FORMAT parquet, COMPRESSION zstd, PARTITION_BY (workspace_id), WRITE_PARTITION_COLUMNS"
    rows = f"SELECT {names} FROM read_parquet(?)"  # noqa: S608 - the contract's names
    with measured() as cost, duckdb.connect() as database:
        database.execute(f"COPY ({rows}) TO '{folder}/bucket' ({how})", [files])
    found = sum(1 for path in Path(folder).rglob("*.parquet"))
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib(), "files": found}


def _row(name: str, cost: dict[str, Any], rows: int) -> tuple[str, ...]:
    speed = f"{rows / cost['cpu'] / 1000:,.0f} k"
    times = (f"{cost['cpu']:.1f}", f"{cost['wall']:.1f}")
    return (name, *times, speed, f"{cost['files']:,}", f"{cost['peak']:,}")

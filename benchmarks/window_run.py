"""One run of Dagster, measured: the whole job of a window, or a job that does nothing."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from benchmarks.measure import measured, peak_mib
from benchmarks.product import NEXT


@dg.asset
def nothing() -> None:
    """An asset without work."""


def run_window() -> dict[str, Any]:
    """The window's job: all exports, the manifests and the checks, in this process."""
    from cio_pipeline.definitions import defs  # noqa: PLC0415 - reads the environment

    job = defs.resolve_job_def("data_out")
    with dg.DagsterInstance.get() as instance, measured() as cost:
        done = job.execute_in_process(partition_key=NEXT.key, instance=instance)
    checks = [one.passed for one in done.get_asset_check_evaluations()]
    return {
        "cpu": cost.cpu,
        "kernel": cost.kernel,
        "wall": cost.wall,
        "peak": peak_mib(),
        "green": all(checks),
    }


def run_nothing() -> dict[str, Any]:
    """A job of one asset that does nothing."""
    with dg.DagsterInstance.get() as instance, measured() as cost:
        dg.materialize([nothing], instance=instance)
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": peak_mib()}


def run_bare(bucket: str) -> dict[str, Any]:
    """The rows of the files below a folder, sunk again into as many files by Polars alone.

    They are in memory before it is measured; nothing is synced, hashed or listed.
    """
    kinds: defaultdict[str, list[Path]] = defaultdict(list)
    for path in Path(bucket).glob("*/*.parquet"):
        kind, _, _ = path.stem.partition("_v5_")
        kinds[f"{kind}{'_chngs' if '_chngs_' in path.stem else ''}"].append(path)
    rows = {kind: pl.read_parquet(sorted(paths)) for kind, paths in kinds.items()}
    with measured() as cost:
        for kind, frame in rows.items():
            frame.lazy().sink_parquet(
                pl.PartitionBy(f"bare/{kind}", key="workspace_id", include_key=True),
                compression="zstd",
                compression_level=3,
                statistics=True,
                mkdir=True,
                engine="streaming",
            )
    files = sum(1 for _ in Path("bare").rglob("*.parquet"))
    return {"cpu": cost.cpu, "kernel": cost.kernel, "wall": cost.wall, "files": files}

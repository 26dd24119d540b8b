"""One run of Dagster, measured: the whole job of a window, or a job that does nothing."""

from typing import Any

import dagster as dg

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

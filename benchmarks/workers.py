"""One window on one Celery worker, and in two shards on two of them, with Redis in between."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from benchmarks.measure import in_child
from benchmarks.product import NEXT, Product, fresh
from benchmarks.report import Report
from benchmarks.windows import copy_ledger, made_window, syncs_at
from cio_pipeline_tests.postgres import running_cluster
from cio_pipeline_tests.workers.machines import Machines, running_redis, until

GOAL = 0.6
ROUNDS = 2
_ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def run(data: Path, scale: float) -> Report:
    """The seconds of both, in turn."""
    syncs = syncs_at(scale)
    made = made_window(data, syncs, changes=True)
    rounds = [{n: _measured(data, made, n) for n in (1, 2)} for _ in range(ROUNDS)]
    best = {n: min((one[n] for one in rounds), key=lambda cost: cost["wall"]) for n in (1, 2)}
    ratio = best[2]["wall"] / best[1]["wall"]
    return Report(
        "two_workers",
        f"One window of {syncs} syncs on one and on two Celery workers of this machine",
        f"{GOAL} of the time of one",
        f"{ratio:.2f} of it",
        ("workers", "s", "files"),
        [(str(n), f"{one['wall']:.1f}", f"{one['files']:,}") for n, one in best.items()],
        {"syncs": syncs, "rounds": rounds, "ratio": ratio},
    )


def _measured(data: Path, made: Path, workers: int) -> dict[str, Any]:
    with fresh(data / "workers") as home, running_cluster() as cluster, running_redis() as broker:
        copy_ledger(made / "ledger.db", home / "ledger.db")
        shared = {
            **Product(home, made / "source").environment,
            "CIO_SHARDS": str(workers),
            "DAGSTER_CELERY_BROKER": broker,
            "DAGSTER_CELERY_BACKEND": broker,
        }
        machines = Machines(home, cluster, shared, ticks=workers, folder=home)
        try:
            for number in range(workers):
                machines.start_worker(f"worker-{number}")
            environment = machines.environment("launcher")
            found = in_child("workers:serve", home=home, environment=environment, workers=workers)
        finally:
            machines.stop_all()
        return {**found, "files": sum(1 for _ in home.glob("bucket/*/*.parquet"))}


def serve(workers: int) -> dict[str, Any]:
    """Seconds from giving each worker its shard until all are through; all have loaded the code."""
    with dg.DagsterInstance.get() as instance:
        _wait(instance, [_begin(instance, "ledger_prune") for _ in range(workers)])
        begun = time.monotonic()
        shards = [f"{number + 1}/{workers}" for number in range(workers)]
        _wait(instance, [_begin(instance, "data_out", shard) for shard in shards])
        return {"wall": time.monotonic() - begun}


def _begin(instance: dg.DagsterInstance, name: str, shard: str | None = None) -> str:
    from cio_pipeline.definitions import defs  # noqa: PLC0415 - reads the environment
    from cio_pipeline.defs.resources import LANE, SHARD  # noqa: PLC0415 - the same

    of_window = {"dagster/partition": NEXT.key, LANE: "tick", SHARD: shard or ""}
    repository = ReconstructableRepository.for_module("cio_pipeline.definitions", "defs")
    made = instance.create_run_for_job(
        defs.resolve_job_def(name),
        tags=of_window if shard else {},
        job_code_origin=repository.get_reconstructable_job(name).get_python_origin(),
    )
    instance.run_launcher.launch_run(LaunchRunContext(made, workspace=None))
    return made.run_id


def _wait(instance: dg.DagsterInstance, run_ids: Collection[str]) -> None:
    def statuses() -> set[dg.DagsterRunStatus] | None:
        found = {run.status for run in instance.get_runs(dg.RunsFilter(run_ids=list(run_ids)))}
        return found if found <= _ENDED else None

    ended = until("the workers", 3600, statuses)
    if ended != {dg.DagsterRunStatus.SUCCESS}:
        raise RuntimeError("A run failed.")

"""An initial export from PostgreSQL beside a dlt pipeline (sql_database → filesystem, Parquet)."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from statistics import median

from benchmarks import of_dlt
from benchmarks.metrics_table import workspaces
from benchmarks.postgres_reads import Cost, first_export, in_turn, row
from benchmarks.postgres_server import running_server
from benchmarks.product import fresh
from benchmarks.report import MILLION, Report, counted
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline_tests.sources.postgres.databases import Made

BESIDE, GOAL_DLT = 10, 5
DLT = ("dlt[parquet,filesystem]==1.31.0", "SQLAlchemy==2.1.9", "psycopg2-binary==2.9.13")
"""Installed into an environment of its own, in the folder of the data."""


def run(data: Path, scale: float) -> Report:
    """An initial export, and dlt's sql_database → filesystem of the same table, in turn."""
    count = int(BESIDE * MILLION * scale)
    python = _with_dlt(data / "dlt")
    with running_server() as server:
        made = server.with_metrics(count, workspaces(scale))
        works = {
            "dlt": lambda: _sent_by_dlt(python, made, data / "beside", "sqlalchemy"),
            "dlt, pyarrow": lambda: _sent_by_dlt(python, made, data / "beside", "pyarrow"),
            "ours": first_export(made, data / "beside", scale),
        }
        found = in_turn(server, works)
    ours = [cost["all"] for cost in found["ours"]]
    times = {
        name: median(cost["all"] / one for cost, one in zip(costs, ours, strict=True))
        for name, costs in found.items()
    }
    return Report(
        "postgres_dlt",
        f"Initial export of {counted(count)} metrics rows in PostgreSQL, beside dlt {DLT[0][-6:]}",
        f"{GOAL_DLT} times the rows per CPU second of a dlt pipeline into Parquet files",
        f"{times['dlt']:.1f} times, {times['dlt, pyarrow']:.1f} of its pyarrow backend",
        ("", "CPU s", "of the server", "s"),
        [row(name, costs) for name, costs in found.items()],
        {"rows": count, "rounds": found, "times": times},
    )


def _with_dlt(folder: Path) -> Path:
    """A Python of its own that has dlt."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = (python, "-m", "pip", "install", "--quiet", *DLT)
        subprocess.run(pip, check=True, stdout=sys.stderr)  # noqa: S603 - our own
    return python


def _sent_by_dlt(python: Path, made: Made, folder: Path, backend: str) -> Cost:
    names = ",".join(column.name for column in EXPORTS["metrics"].columns)
    url = made.url.replace("postgresql://", "postgresql+psycopg2://")
    told = {"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    with fresh(folder):
        command = [python, of_dlt.__file__, url, str(folder), backend, names]
        done = subprocess.run(  # noqa: S603 - our own
            command, check=True, capture_output=True, env=told
        )
    return json.loads(done.stdout.splitlines()[-1])

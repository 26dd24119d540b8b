"""The hand-made feed, built once by dbt for all tests."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from cio_pipeline_tests.warehouse.feed import NOW, write_feeds

PROJECT = Path(__file__).parents[2] / "warehouse"


def dbt(
    folder: Path, *words: str, feed: str = "acme", now: str = NOW, **given: object
) -> subprocess.CompletedProcess[str]:
    """Run dbt on the warehouse of a folder, with variables; what it makes stays in there."""
    environment: Mapping[str, str] = {
        **os.environ,
        "CIO_WAREHOUSE": str(folder / "warehouse.duckdb"),
        "CIO_FEED": feed,
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    at = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    then = ["--vars", json.dumps({"as_of": now, **given})]
    # Beside Python, the program of the same environment.
    program = Path(sys.executable).parent / "dbt"
    return subprocess.run(
        [program, *words, *at, *then], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with warehouse.duckdb, in which all models of the v5 feed are built and tested.

    One worker builds, the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built-warehouse"
    folder.mkdir(exist_ok=True)
    told = folder / "told.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            write_feeds(folder / "warehouse.duckdb")
            done = dbt(folder, "build")
            told.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    assert told.read_text().startswith("0\n"), told.read_text()
    return folder


@pytest.fixture
def mart(built: Path) -> duckdb.DuckDBPyConnection:
    """The built models of the v5 feed, to read."""
    connection = duckdb.connect(built / "warehouse.duckdb", read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("USE acme_marts")
    return connection

"""Every test of the ledger runs on a SQLite file and on a real PostgreSQL."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest

from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline_tests.postgres import program
from cio_pipeline_tests.world import empty_ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/ledger.db"
    return request.getfixturevalue("postgres_cluster").new_schema()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger in which nothing stands; its tables are copied, not made version by version."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        file.parent.mkdir()
        shutil.copy(empty_ledger(), file)
    else:
        copy_tables(url)
    opened = open_ledger(url)
    yield opened
    opened.close()


def copy_tables(url: str) -> None:
    """Make the tables of an empty ledger in a schema: in half of the time that versions take."""
    server, _, schema = url.partition("&options=-csearch_path%3D")
    with psycopg.connect(server) as connection:
        connection.execute(empty_tables(server).replace("original.", f"{schema}.").encode())


@cache
def empty_tables(server: str) -> str:
    """SQL of the tables of an empty ledger in a schema named original."""
    with psycopg.connect(server) as connection:
        connection.execute("CREATE SCHEMA original")
    open_ledger(f"{server}&options=-csearch_path%3Doriginal").close()
    dump = [program("pg_dump"), "--inserts", "--no-owner", "--schema=original", server]
    script = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    # Commands of psql start with a backslash.
    lines = [one for one in script.splitlines() if not one.startswith(("\\", "CREATE SCHEMA"))]
    return "\n".join(lines)

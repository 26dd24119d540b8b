"""README.md, "With tables of your own", word for word: from CSV to a first file in a folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline_tests.postgres import Cluster

SECTION = (
    (Path(__file__).parents[2] / "README.md")
    .read_text(encoding="utf-8")
    .split("## With tables of your own\n")[1]
    .split("\n## ")[0]
)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)


def typed_in(folder: Path) -> list[str]:
    """What is typed in a folder with nothing but the three files."""
    (folder / "syncs.yaml").write_text(blocks("yaml")[0])
    (commands,) = blocks("console")
    return [line.removeprefix("$ ") for line in commands.splitlines()]


def follow(folder: Path) -> str:
    """Type the commands; what was shown."""
    typed = typed_in(folder)
    environment = {key: value for key, value in os.environ.items() if key[:4] != "CIO_"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(typed)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the same verbs in this process."""
    for name in [name for name in os.environ if name.startswith("CIO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIO_HOME", str(folder / ".cio-own"))
    monkeypatch.chdir(folder)
    for program, *words in (shlex.split(line, comments=True) for line in typed_in(folder)):
        if program == "cio-pipeline":
            done = CliRunner().invoke(app, words, catch_exceptions=False)
            assert done.exit_code == 0, done.output


def sent(folder: Path, export: str, columns: str) -> list[tuple[object, ...]]:
    query = f"SELECT {columns} FROM read_parquet(?) ORDER BY ALL"  # noqa: S608 - ours
    with duckdb.connect() as db:
        return db.execute(query, [f"{folder}/bucket/acme/{export}_v5_*.parquet"]).fetchall()


def prove(folder: Path, sources: list[str]) -> None:
    """Ann is there; Bob is suppressed, so that a first file does not name him."""
    assert sent(folder, "people", "customer_id, email_addr") == [("17", "ann@acme.example")]
    events = sent(folder, "events", "internal_customer_id, name, data, sources")
    assert events == [("p1", "order placed", '{"total":9.50}', sources)]


@pytest.mark.slow
def test_d5_a_first_file_from_csv_word_for_word(tmp_path: Path) -> None:
    people, events = blocks("csv")
    (tmp_path / "people.csv").write_text(people)
    (tmp_path / "events.csv").write_text(events)
    shown = follow(tmp_path)
    assert "✓ acme: complete up to manifest 1; 2 files, 2 rows" in shown
    assert "people_v5_1_1.parquet" in shown
    prove(tmp_path, ["web"])


PEOPLE = """
    SELECT 1 AS workspace_id, 'p' || n AS internal_customer_id, (16 + n)::text AS id,
        name || '@acme.example' AS email, now() AS added_at, NULL::timestamptz AS id_changed_at,
        now() AS updated_at, false AS deleted, name = 'bob' AS suppressed
    FROM (VALUES (1, 'ann'), (2, 'bob')) AS users (n, name)
"""
EVENTS = """
    SELECT 1 AS workspace_id, 'e1' AS event_id, 'p1' AS internal_customer_id,
        'order placed' AS name, 'event' AS type, '{"total":9.50}'::json AS properties,
        now() AS timestamp, now() AS processed_at, ARRAY['web', 'mobile "app", {new}'] AS sources
"""


OPTIONS = ("CSV, HEADER", r"CSV, HEADER, NULL '\N'")


def copied(cluster: Cluster, folder: Path, options: str) -> None:
    """The two files as PostgreSQL writes them."""
    folder.mkdir(exist_ok=True)
    with psycopg.connect(cluster.url("postgres")) as connection:
        for name, query in (("people", PEOPLE), ("events", EVENTS)):
            copy = f"COPY ({query}) TO STDOUT (FORMAT {options})"
            with connection.cursor().copy(copy) as rows:  # pyright: ignore[reportArgumentType, reportCallIssue]
                (folder / f"{name}.csv").write_bytes(b"".join(bytes(row) for row in rows))
    assert ",t\n" in (folder / "people.csv").read_text()


@pytest.mark.slow
def test_d5_a_first_file_from_postgresql_word_for_word(
    tmp_path: Path, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(postgres_cluster, tmp_path, OPTIONS[1])
    call(tmp_path, monkeypatch)
    prove(tmp_path, ["web", 'mobile "app", {new}'])


def test_d5_a_null_is_read_however_postgresql_writes_it(
    tmp_path: Path, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_clock = ["added_at", "updated_at", "timestamp", "processed_at"]
    loaded: list[list[pl.DataFrame]] = []
    for number, options in enumerate(OPTIONS):
        folder = tmp_path / str(number)
        copied(postgres_cluster, folder, options)
        monkeypatch.setenv("CIO_HOME", str(folder))
        monkeypatch.chdir(folder)
        for words in ("init", "load people people.csv", "load events events.csv"):
            done = CliRunner().invoke(app, ["source", *words.split()], catch_exceptions=False)
            assert done.exit_code == 0, done.output
        tables = [pl.read_delta(str(folder / "source" / one)) for one in ("people", "events")]
        loaded.append([one.drop(of_the_clock, strict=False) for one in tables])
    for one, other in zip(*loaded, strict=True):
        assert not one.is_empty()
        assert_frame_equal(one, other)

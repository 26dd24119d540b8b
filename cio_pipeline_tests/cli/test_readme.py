"""README.md, "With tables of your own", word for word: from CSV to a first file in a folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import psycopg
import pytest

from cio_pipeline_tests.postgres import Cluster, postgres_cluster

__all__ = ["postgres_cluster"]

SECTION = (
    (Path(__file__).parents[2] / "README.md")
    .read_text(encoding="utf-8")
    .split("## With tables of your own\n")[1]
    .split("\n## ")[0]
)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)


def follow(folder: Path) -> str:
    """Type the commands in a folder with nothing but the three files; what was shown."""
    (folder / "syncs.yaml").write_text(blocks("yaml")[0])
    (commands,) = blocks("console")
    typed = [line.removeprefix("$ ") for line in commands.splitlines()]
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


@pytest.mark.slow
@pytest.mark.parametrize("options", ["CSV, HEADER", r"CSV, HEADER, NULL '\N'"])
def test_d5_a_first_file_from_postgresql_word_for_word(
    tmp_path: Path, postgres_cluster: Cluster, options: str
) -> None:
    with psycopg.connect(postgres_cluster.url("postgres")) as connection:
        for name, query in (("people", PEOPLE), ("events", EVENTS)):
            copy = f"COPY ({query}) TO STDOUT (FORMAT {options})"
            with connection.cursor().copy(copy) as rows:  # pyright: ignore[reportArgumentType, reportCallIssue]
                (tmp_path / f"{name}.csv").write_bytes(b"".join(bytes(row) for row in rows))
    assert ",t\n" in (tmp_path / "people.csv").read_text()
    follow(tmp_path)
    prove(tmp_path, ["web", 'mobile "app", {new}'])

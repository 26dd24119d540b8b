"""Real input (issue 2): Sakila through the command line, read back and compared by DuckDB alone.

The command of examples/sakila/README.md, run in an empty folder. Takes about a minute of an idle
machine, nearly all of it Dagster's work on 22 runs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
SAKILA = ROOT.parent / "shared" / "data" / "sakila"
WINDOWS = 20
README = (ROOT / "examples" / "sakila" / "README.md").read_text(encoding="utf-8")

ONE_EVENT_LOG = """
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config:
    base_dir: {folder}
"""
"""Dagster's event log for tests: one database instead of one for each run, which is faster."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not SAKILA.is_dir(), reason="needs the Sakila CSV files"),
]


def makefile_command() -> str:
    """What `make demo-sakila` runs, which is what a reader types."""
    assert "make demo-sakila SAKILA=" in README
    rule = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ndemo-sakila:")[1]
    command = rule.splitlines()[1].strip()
    return command.replace("$(BIN)/", "").replace("$(SAKILA)", str(SAKILA))


def run(command: str) -> str:
    """Run a command in a shell of its own; what it printed."""
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the command printed; the working directory stays the one that it ran in."""
    folder = tmp_path_factory.mktemp("sakila")
    (folder / "examples").symlink_to(ROOT / "examples")
    config = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    config += ONE_EVENT_LOG.format(folder=folder / "events")
    (folder / "dagster.yaml").write_text(config, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("CIO_SOURCE", "CIO_LEDGER", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("COLUMNS", "200")
        yield run(makefile_command())


@pytest.fixture(scope="module")
def db(output: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with what was expected and what was sent; see the two SQL files."""
    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE sakila = ?", [str(SAKILA)])
        connection.execute("SET VARIABLE bucket = '.cio/sakila/bucket'")
        for name in ("expected.sql", "sent.sql"):
            connection.execute((Path(__file__).parent / name).read_text(encoding="utf-8"))
        yield connection


def rows(db: duckdb.DuckDBPyConnection, query: str, **values: str) -> list[tuple[Any, ...]]:
    return db.execute(query, values).fetchall()


def differences(db: duckdb.DuckDBPyConnection, expected: str, sent: str) -> list[tuple[Any, ...]]:
    """A few rows that the second view lacks, a few that it has too many; repeated rows count."""
    names = {"expected": expected, "sent": sent}
    missing = "FROM query_table($expected) EXCEPT ALL FROM query_table($sent) LIMIT 5"
    extra = "FROM query_table($sent) EXCEPT ALL FROM query_table($expected) LIMIT 5"
    assert rows(db, "SELECT count(*) > 0 FROM query_table($name)", name=expected) == [(True,)]
    return [*rows(db, missing, **names), *rows(db, extra, **names)]


def test_the_command_loads_exports_and_verifies(output: str) -> None:
    """D10: both syncs are proven complete, over as many commits and windows as are asked for."""
    assert output.count("$ cio-pipeline source load ") >= 20
    assert f"✓ sakila-v5: complete up to manifest {WINDOWS + 1};" in output
    assert f"✓ sakila-v4: complete up to manifest {WINDOWS + 1};" in output


def test_the_readme_shows_what_verify_says(output: str) -> None:
    verified = [line for line in output.splitlines() if line.startswith("✓ ")]
    assert len(verified) == 2
    for line in verified:
        assert line.rsplit(",", 1)[0] in README  # the last number are bytes


def test_d5_names_and_sequences(db: duckdb.DuckDBPyConnection) -> None:
    """D5: names of the documented form, numbered 1, 2, 3 … per pattern, all of them listed once."""
    assert rows(db, "FROM files WHERE stem = '' OR sequence IS NULL") == []
    patterns = rows(
        db,
        """
        SELECT sync_id, stem, version, chngs, count(*), min(sequence), max(sequence)
        FROM files GROUP BY ALL ORDER BY ALL
        """,
    )
    assert patterns == [
        ("sakila-v4", "attributes", 4, False, 21, 1, 21),
        ("sakila-v4", "people", 4, False, 20, 1, 20),
        ("sakila-v4", "people", 4, True, 20, 1, 20),
        ("sakila-v5", "attributes", 5, False, 21, 1, 21),
        ("sakila-v5", "events", 5, False, 21, 1, 21),
        ("sakila-v5", "people", 5, False, 20, 1, 20),
        ("sakila-v5", "people", 5, True, 20, 1, 20),
    ]
    listed = rows(db, 'SELECT sync_id, "key" FROM listed ORDER BY ALL')
    assert listed == rows(db, 'SELECT sync_id, "key" FROM files ORDER BY ALL')


def test_d6_one_first_export_then_changes(db: duckdb.DuckDBPyConnection) -> None:
    """D6: a manifest for each window with news, none for the last window, which had none."""
    found = rows(
        db,
        """
        SELECT sync_id, array_agg(ordinal ORDER BY ordinal), bool_and("window" = ordinal - 1),
            bool_and("mode" = if("window" = 0, 'initial', 'changes'))
        FROM (SELECT DISTINCT sync_id, ordinal, "window", "mode" FROM listed)
        GROUP BY sync_id ORDER BY sync_id
        """,
    )
    ordinals = list(range(1, WINDOWS + 2))
    assert found == [(sync_id, ordinals, True, True) for sync_id in ("sakila-v4", "sakila-v5")]


def test_d1_people_of_each_window(db: duckdb.DuckDBPyConnection) -> None:
    """D1, D3: current people first, then new ones and changes apart, each once."""
    assert differences(db, "expected_people", "people_rows") == []


def test_d1_merged_people(db: duckdb.DuckDBPyConnection) -> None:
    """D1: the newest row of each person is the person's last state."""
    assert differences(db, "expected_merged_people", "merged_people") == []


def test_d1_attributes_of_each_window(db: duckdb.DuckDBPyConnection) -> None:
    """D1, D3: current values of current people first, then each change."""
    assert differences(db, "expected_attributes", "attribute_rows") == []


def test_d1_merged_attributes(db: duckdb.DuckDBPyConnection) -> None:
    """D1: the newest row of each attribute is its last value, the empty string once removed."""
    assert differences(db, "expected_merged_attributes", "merged_attributes") == []
    assert ("",) in rows(db, "SELECT DISTINCT attribute_value FROM merged_attributes")


def test_d1_d4_events_exactly_once(db: duckdb.DuckDBPyConnection) -> None:
    """D1, D3, D4: each event of the last 30 days once, in its window, digit by digit."""
    assert differences(db, "expected_events", "event_rows") == []
    assert rows(db, "SELECT event_id FROM sent_events GROUP BY 1 HAVING count(*) > 1") == []
    oldest = "SELECT min(processed_at) >= TIMESTAMPTZ '2026-01-31 09:15:00+00' FROM sent_events"
    assert rows(db, oldest) == [(True,)]
    zeros = """SELECT count(*) > 0 FROM sent_events WHERE contains(data, '"amount":0.00,')"""
    assert rows(db, zeros) == [(True,)]


@pytest.mark.parametrize("table", ["sent_people", "sent_attributes", "sent_events"])
def test_d4_nobody_gone_before_the_first_export(db: duckdb.DuckDBPyConnection, table: str) -> None:
    """D4: the first files do not show who the inactive customers are."""
    gone = """
        SELECT count(DISTINCT id), count(internal_customer_id)
        FROM (SELECT id FROM customer WHERE active = '0' AND joined <= 0)
        LEFT JOIN (FROM query_table($table) WHERE "window" = 0)
            ON internal_customer_id = cio_id(id)
    """
    assert rows(db, gone, table=table) == [(14, 0)]


@pytest.mark.parametrize("table", ["sent_people", "sent_attributes", "sent_events"])
def test_d4_nobody_gone_before_the_first_export_is_named_later(
    db: duckdb.DuckDBPyConnection, table: str
) -> None:
    """D4: nor do later files, as long as they are gone; one of them comes back in window 16."""
    named = """
        SELECT DISTINCT id, min("window")
        FROM (SELECT id FROM customer WHERE active = '0' AND joined <= 0)
        JOIN query_table($table) ON internal_customer_id = cio_id(id)
        GROUP BY id
    """
    found = rows(db, named, table=table)
    assert [customer for customer, _ in found] == [16]
    assert all(window >= 16 for _, window in found)


def test_d4_their_events_are_empty(db: duckdb.DuckDBPyConnection) -> None:
    """D4: events of people gone before the first export are there, without personal data."""
    emptied = """
        SELECT "window", count(*) > 100, array_agg(DISTINCT data), array_agg(DISTINCT sources)
        FROM sent_events WHERE internal_customer_id = '' GROUP BY "window"
    """
    found = rows(db, f"{emptied} ORDER BY 1")
    assert found[0] == (0, True, ["{}"], [[]])
    assert len(found) > 1
    assert {(tuple(data), *map(tuple, sources)) for _, _, data, sources in found} == {(("{}",), ())}


def test_d3_suppressed_later_and_back(db: duckdb.DuckDBPyConnection) -> None:
    """D3: a suppression is a row in chngs, added at epoch 0 in v5; a return has its date again."""
    found = rows(
        db,
        """
        SELECT customer_id, sync_id, list((
            "window", series, suppressed, epoch(created_at)::BIGINT = 0
        ) ORDER BY "window")
        FROM sent_people
        WHERE customer_id IN ('16', '57', '592') AND "window" <> 17  -- when one of them moves
        GROUP BY ALL ORDER BY ALL
        """,
    )
    first, back = (0, "plain", False, False), (16, "chngs", False, False)
    assert found == [
        ("16", "sakila-v4", [back]),
        ("16", "sakila-v5", [back]),
        ("57", "sakila-v4", [first, (6, "chngs", True, False), back]),
        ("57", "sakila-v5", [first, (6, "chngs", True, True), back]),
        ("592", "sakila-v4", [(13, "chngs", True, False)]),
        ("592", "sakila-v5", [(13, "chngs", True, True)]),
    ]


def test_both_versions_agree(db: duckdb.DuckDBPyConnection) -> None:
    """D1: a v4 sync of the same workspace says the same, but for the meaning of created_at."""
    assert differences(db, "people_of_v4", "people_of_v5") == []
    assert differences(db, "attributes_of_v4", "attributes_of_v5") == []
    assert rows(db, "SELECT DISTINCT sync_id FROM sent_events") == [("sakila-v5",)]

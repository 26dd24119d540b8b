"""P: what changed is found by indexes; history is not touched."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.sql import SQL, Composed

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.sources.postgres.catalog import Relation
from cio_pipeline.sources.postgres.connect import AS_THEY_LIE, Rows
from cio_pipeline.sources.postgres.positions import position_of
from cio_pipeline.sources.postgres.statements import changed_rows, is_changed, number_of_changes
from cio_pipeline.sources.postgres.upkeep import found
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.things import THINGS
from cio_pipeline_tests.world import World, during


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(one for below in plan.get("Plans", ()) for one in nodes(below))]


def explained(base: Made, statement: str, settings: Mapping[str, str]) -> dict[str, Any]:
    with base.connect() as session:
        for setting in settings.items():
            session.execute("SELECT set_config(%s, %s, false)", setting)
        row = session.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0][0]["Plan"]


def test_p_the_changes_of_a_window_are_found_by_an_index(base: Made) -> None:
    base.do(
        "ALTER TABLE things DISABLE TRIGGER ALL",
        "INSERT INTO things SELECT 1, g::text, 'x' FROM generate_series(1, 50000) g",
        'ALTER TABLE things ENABLE ALWAYS TRIGGER "~cio_stamp"',
        "ALTER TABLE things ENABLE ALWAYS TRIGGER cio_keep",
        "ALTER TABLE things ENABLE ALWAYS TRIGGER cio_empty",
        "UPDATE things SET value = 'y' WHERE key::int <= 5000",
        "VACUUM ANALYZE things",
        "VACUUM ANALYZE cio.earlier_things",
    )
    lower = base.things()
    base.do(
        "UPDATE things SET value = 'z' WHERE key::int <= 50",
        "DELETE FROM things WHERE key::int BETWEEN 30000 AND 30010",
    )
    upper = base.things()
    relation: Relation = found(base.source.server, base.names, [THINGS])[1][0]
    before, after = (position_of("things", one) for one in (lower, upper))
    asked = changed_rows(relation, before, after, list(source_schema(THINGS)))
    number, whether = (of(relation, before, after) for of in (number_of_changes, is_changed))
    for query, settings in ((asked, AS_THEY_LIE), (number, {}), (whether, {})):
        statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query.as_string()}"
        plan = explained(base, statement, settings)
        kinds = {one["Node Type"] for one in nodes(plan)}
        assert "Seq Scan" not in kinds
        assert any("Index" in kind for kind in kinds)
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 150
    assert base.source.changed_rows(THINGS, lower, upper) < 200


def test_p_functions_of_triggers_are_called_for_what_others_have_seen(base: Made) -> None:
    """Rows that are inserted get their number by a default; a row is kept once a transaction."""
    base.do("INSERT INTO things SELECT 1, 'old' || g, '1' FROM generate_series(1, 10) g")
    calls = "SELECT funcname, calls FROM pg_stat_user_functions WHERE schemaname = 'cio'"
    with base.connect() as session:
        session.execute("SET track_functions = 'all'")
        with session.transaction():
            session.execute("INSERT INTO things SELECT 1, g::text FROM generate_series(1, 50) g")
            session.execute("UPDATE things SET value = '2'")
            session.execute("UPDATE things SET value = '3'")
            session.execute("DELETE FROM things WHERE key LIKE 'old_'")
        session.execute("SELECT pg_stat_force_next_flush()" if _flushes(session) else "SELECT 1")
    assert dict(base.ask(calls)) == {"stamp": 10, "keep_things": 10}
    assert base.ask("SELECT count(*) FROM cio.earlier_things") == [(10,)]


def test_p_no_question_is_compiled_first(base: Made) -> None:
    """Changes on a table of 50 M rows seem dear enough to the planner, and took thrice as long."""
    name = base.source.server.database
    base.do(f"ALTER DATABASE {name} SET jit_above_cost = 0", "INSERT INTO things VALUES (1, 'a')")
    base.source.server.close()
    with base.source.server.asked() as questions:
        row = questions.execute("EXPLAIN (ANALYZE) SELECT * FROM public.things").fetchall()
    assert not [line for (line,) in row if "JIT" in line]
    with base.source.server.reading("public.things") as rows:
        found = list(rows.values(Composed([SQL("SELECT current_setting('jit') AS jit")])))
    assert found == [{"jit": "off"}]


def test_p_who_counts_rows_reads_the_columns_that_tell_which(
    base: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (2, 'b', '2')")
    at, asked, read = base.things(), list[str](), Rows.of
    monkeypatch.setattr(Rows, "of", lambda rows, one: [asked.append(one), read(rows, one)][1])
    found = base.source.snapshot(THINGS, at).filter(pl.col("workspace_id") == 1)
    assert found.select(pl.len()).collect(engine="streaming").item() == 1
    assert found.select("key").collect()["key"].to_list() == ["a"]
    assert any('"workspace_id"' in one for one in asked)
    assert not [one for one in asked if '"value"' in one]


@pytest.mark.parametrize("kind", ["base", "partitioned"])
def test_p_the_server_counts_the_rows_of_workspaces_at_a_cut(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    base: Made = request.getfixturevalue(kind)
    base.do("INSERT INTO things VALUES (1, 'a', '1'), (1, 'b', '1'), (1, 'c', '1'), (2, 'a', '2')")
    at, received, read = base.things(), list[int](), Rows.of
    base.do(
        "UPDATE things SET value = '3' WHERE key = 'a'",
        "DELETE FROM things WHERE key = 'b'",
        "INSERT INTO things VALUES (3, 'd', '3'), (2, 'b', '2')",
    )
    snapshot = base.source.snapshot(THINGS, at).collect()
    assert dict(snapshot["workspace_id"].value_counts().iter_rows()) == {1: 3, 2: 1}

    def noted(rows: Rows, statement: str) -> Iterator[Any]:
        for batch in read(rows, statement):
            received.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(Rows, "of", noted)
    counted = base.source.rows_by_workspace(THINGS, at).collect(engine="streaming")
    assert dict(counted.iter_rows()) == {1: 3, 2: 1}
    assert received[-1] == 2, "no row of a table"


@pytest.mark.parametrize(("bad", "times"), [(0, 1), (1, 2)])
def test_p_rows_that_are_sent_are_read_once(
    world: World, monkeypatch: pytest.MonkeyPatch, bad: int, times: int
) -> None:
    """Again only if some are held back: what is wrong with them is looked for then."""
    world.sync("a", 1)
    rows = [{"workspace_id": 1, "event_id": f"m{number}"} for number in range(3)]
    rows[:bad] = [{**one, "delivery_id": None} for one in rows[:bad]]
    world.commit("metrics", *rows, at=during(0))
    asked, read = list[str](), Rows.of
    monkeypatch.setattr(Rows, "of", lambda rows, one: [asked.append(one), read(rows, one)][1])
    (outcome,) = world.run(0, "metrics")
    assert (outcome.error, outcome.rows) == (None, 3 - bad)
    assert len([one for one in asked if 'FROM "public"."metrics"' in one]) == times


def _flushes(session: psycopg.Connection[Any]) -> bool:
    """Whether the server tells of its statistics on demand, as it does since PostgreSQL 15."""
    return session.info.server_version >= 150000

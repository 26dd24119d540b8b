import json
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, inspect, text

from cio_pipeline.ledger.database import Database, describe, make_engine, parse_url
from cio_pipeline.ledger.open import VERSIONS, Ledger, migrate, open_ledger
from cio_pipeline.ledger.plan_rows import file_row, plan_row
from cio_pipeline.ledger.registry import register as register_sync
from cio_pipeline.ledger.schema import cuts, files, metadata, plans, positions, sequences, syncs
from cio_pipeline.ledger.statements import microseconds
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.plans import Plan, PlanDraft, PlanState, SealedPlan, Series
from cio_pipeline.model.registry import ExportState, ExportSwitch, RegisteredSync
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    at,
    claim,
    commit,
    cut,
    draft,
    file,
    register,
    seal_and_deliver,
    state,
    sync,
)

BETA = ("beta", "people")
T0_MICROSECONDS = microseconds(T0)
QUARTER = 15 * 60 * 1_000_000
INSERT_ERROR = text(
    "INSERT INTO errors VALUES (:sync_id, :export, :window_end, :kind, :message, :at, :overtaken)"
)
NEW_SINCE_VERSION_1 = {
    "slices",
    "slice_rows",
    "slice",
    "layout",
    "begun_at",
    "producer",
    "contract",
    "until_at",
    "counts",
}

FIRST = VERSIONS[0]
SECOND = (
    "ALTER TABLE syncs ADD COLUMN note TEXT",
    "CREATE TABLE notes (id {serial}, body {bytes})",
)


def database(url: str) -> Database:
    parsed = parse_url(url)
    return Database(make_engine(parsed), describe(parsed))


def shape(engine: Engine) -> dict[str, Any]:
    """Tables with their columns, keys, references and indexes, as the database tells them."""
    found = inspect(engine)
    return {
        table: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)
            ],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "references": sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in found.get_foreign_keys(table)
            ),
            "unique": sorted(u["column_names"] for u in found.get_unique_constraints(table)),
            "indexes": sorted(
                (i["name"] or "", i["column_names"], bool(i["unique"]))
                for i in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
    }


def test_the_migrations_make_the_tables_that_the_code_expects(
    url: str, ledger: Ledger, request: pytest.FixtureRequest, tmp_path_factory: Any
):
    if ledger.database.is_sqlite:
        other = f"sqlite:///{tmp_path_factory.mktemp('other')}/ledger.db"
    else:
        other = request.getfixturevalue("postgres_cluster").new_schema()
    declared = database(other)
    metadata.create_all(declared.engine)
    assert shape(ledger.database.engine) == shape(declared.engine)
    declared.engine.dispose()


def test_the_migrations_make_the_indexes_of_those_rows_that_the_code_names(tmp_path: Path):
    with closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")) as ledger:
        found = inspect(ledger.database.engine)
        indexes = [one for table in found.get_table_names() for one in found.get_indexes(table)]
    conditions = {
        one["name"]: one.get("dialect_options", {}).get("sqlite_where") for one in indexes
    }
    made = {name: str(condition) for name, condition in conditions.items() if condition is not None}
    named = {
        index.name: index.info["where"]
        for table in metadata.tables.values()
        for index in table.indexes
        if index.info
    }
    assert made == named


def test_a_ledger_of_the_first_version_is_upgraded_with_its_content(url: str):
    first = database(url)
    migrate(first, [FIRST])
    first.write(
        lambda c: c.exec_driver_sql(
            "INSERT INTO syncs VALUES ('acme', '{}', 1, 'data-out', 1, 1000000)"
        )
    )
    first.engine.dispose()
    second = database(url)
    migrate(second, [FIRST, SECOND])
    migrate(second, [FIRST, SECOND])
    rows = second.read(lambda c: c.exec_driver_sql("SELECT id, note FROM syncs").all())
    versions = second.read(
        lambda c: c.exec_driver_sql("SELECT version FROM schema_version ORDER BY version").all()
    )
    assert [tuple(row) for row in rows] == [("acme", None)]
    assert [row[0] for row in versions] == [1, 2]
    second.engine.dispose()


def test_a_migration_that_fails_halfway_leaves_nothing(url: str):
    one = database(url)
    migrate(one, [FIRST])
    with pytest.raises(LedgerError):
        migrate(one, [FIRST, (*SECOND, "CREATE TABLE syncs (id TEXT)")])
    assert "note" not in {c["name"] for c in inspect(one.engine).get_columns(syncs.name)}
    assert not inspect(one.engine).has_table("notes")
    migrate(one, [FIRST, SECOND])
    assert inspect(one.engine).has_table("notes")
    one.engine.dispose()


def test_a_ledger_newer_than_the_code_is_refused(url: str):
    newer = database(url)
    migrate(newer, [*VERSIONS, SECOND])
    newer.engine.dispose()
    with pytest.raises(LedgerError, match=r"Upgrade cio-pipeline\."):
        open_ledger(url)


def test_many_can_open_a_fresh_ledger_at_once(url: str):
    opened: list[Ledger] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        opened.append(open_ledger(url))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    register(opened[0], "acme")
    assert [ledger.registry.get("acme").generation for ledger in opened] == [1] * 4
    for ledger in opened:
        ledger.close()


def test_plans_and_files_of_version_1_go_on_as_plans_of_one_slice(url: str):
    """A committed plan, a sealed one and an open one, as version 1 left them."""
    old = database(url)
    migrate(old, [FIRST])
    old.write(_plans_of_version_1)
    old.engine.dispose()

    ledger = open_ledger(url)

    assert [f.sequence for f in ledger.manifests.files("acme")] == [1]
    lease = claim(ledger, PEOPLE, BETA)
    sealed, opened = state(ledger).open_plan, state(ledger, BETA).open_plan
    assert sealed
    assert opened
    assert (sealed.state, sealed.slice, sealed.slices) == (PlanState.SEALED, 0, 1)
    assert [f.sequence for f in ledger.plans.sealed([sealed])[sealed.plan_id]] == [2]
    ledger.plans.deliver(lease, [sealed])
    seal_and_deliver(ledger, lease, SealedPlan(opened, (file(opened),)), step=3)
    commit(ledger, lease, sealed, opened, step=3)
    assert [f.sequence for f in ledger.manifests.files("acme")] == [1, 2]
    assert [f.sequence for f in ledger.manifests.files("beta")] == [1]
    assert state(ledger).position == cut(2)
    ledger.close()


def _plans_of_version_1(connection: Connection) -> None:
    switch = ExportSwitch(enabled=True)
    for sync_id in ("acme", "beta"):
        register_sync(connection, sync(sync_id), {"people": switch}, T0)
    for one in (cut(1), cut(2)):
        tables = {name: [table.table_id, table.version] for name, table in one.tables.items()}
        connection.execute(insert(cuts).values(at=one.at, tables=json.dumps(tables)))
    first = replace(draft_of("acme", 1), lower=None)
    second = replace(draft_of("acme", 2), lower=cut(1))
    for plan_id, planned, plan_state in (
        (1, first, "committed"),
        (2, second, "sealed"),
        (3, draft_of("beta", 1), "open"),
    ):
        row = plan_row(planned, at(1)) | {"id": plan_id, "state": plan_state}
        connection.execute(insert(plans).values(**_known_to_version_1(row)))
        plan = Plan(**vars(planned), plan_id=plan_id, state=PlanState(plan_state))
        if plan_state != "open":
            row = file_row(plan, 0, file(plan))
            connection.execute(insert(files).values(**_known_to_version_1(row)))
    connection.exec_driver_sql("UPDATE plans SET commit_number = 1 WHERE id = 1")
    moved = {"sync_id": "acme", "export": "people", "generation": 1, "at": at(1), "moved_at": at(1)}
    connection.execute(insert(positions).values(**moved))
    used = {"sync_id": "acme", "export": "people", "series": "plain", "next": 3}
    connection.execute(insert(sequences).values(**used))


def draft_of(sync_id: str, step: int) -> PlanDraft:
    known = ExportState(
        RegisteredSync(sync(sync_id), 1, T0, {}),
        "people",
        ExportSwitch(enabled=True),
        None,
        None,
        {Series.PLAIN: step, Series.CHNGS: 1},
    )
    return draft(known, cut(step))


def _known_to_version_1(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in NEW_SINCE_VERSION_1}


def test_a_log_of_errors_becomes_one_state_per_pair(url: str):
    """50 stopped syncs of 60 days, 15 exports each, every hundredth of their 4.3 million rows."""
    old = database(url)
    migrate(old, VERSIONS[:9])
    rows = [
        {
            "sync_id": f"s{n}",
            "export": f"e{e}",
            "window_end": T0_MICROSECONDS + w * QUARTER,
            "kind": "Unreachable",
            "message": f"in {w}",
            "at": 0,
            "overtaken": w < 10,
        }
        for n in range(50)
        for e in range(15)
        for w in range(1, 59)
    ]
    old.write(lambda c: c.execute(INSERT_ERROR, rows))
    old.engine.dispose()
    ledger = open_ledger(url)
    found = ledger.failing.all()
    assert len(found) == 50 * 15
    assert set(found.values()) == {
        Failing(at(10) - timedelta(minutes=10), at(58), 49, "Unreachable", "in 58")
    }
    ledger.close()

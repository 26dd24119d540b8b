import threading
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from cio_pipeline.ledger.connect import describe, make_engine, parse_url
from cio_pipeline.ledger.migrations import migrate
from cio_pipeline.ledger.open import SqlLedger, open_ledger
from cio_pipeline.ledger.schema import metadata, syncs
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.ledger.versions import VERSION_1, VERSIONS
from cio_pipeline.model.errors import LedgerError
from cio_pipeline_tests.ledger.build import register

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
    url: str, ledger: SqlLedger, request: pytest.FixtureRequest, tmp_path_factory: Any
):
    if ledger.database.is_sqlite:
        other = f"sqlite:///{tmp_path_factory.mktemp('other')}/ledger.db"
    else:
        other = request.getfixturevalue("postgres_cluster").new_schema()
    declared = database(other)
    metadata.create_all(declared.engine)
    assert shape(ledger.database.engine) == shape(declared.engine)
    declared.engine.dispose()


def test_a_ledger_of_the_first_version_is_upgraded_with_its_content(url: str):
    first = database(url)
    migrate(first, [VERSION_1])
    first.write(
        lambda c: c.exec_driver_sql(
            "INSERT INTO syncs VALUES ('acme', '{}', 1, 'data-out', 1, 1000000)"
        )
    )
    first.engine.dispose()
    second = database(url)
    migrate(second, [VERSION_1, SECOND])
    migrate(second, [VERSION_1, SECOND])
    rows = second.read(lambda c: c.exec_driver_sql("SELECT id, note FROM syncs").all())
    versions = second.read(
        lambda c: c.exec_driver_sql("SELECT version FROM schema_version ORDER BY version").all()
    )
    assert [tuple(row) for row in rows] == [("acme", None)]
    assert [row[0] for row in versions] == [1, 2]
    second.engine.dispose()


def test_a_migration_that_fails_halfway_leaves_nothing(url: str):
    one = database(url)
    migrate(one, [VERSION_1])
    with pytest.raises(LedgerError):
        migrate(one, [VERSION_1, (*SECOND, "CREATE TABLE syncs (id TEXT)")])
    assert "note" not in {c["name"] for c in inspect(one.engine).get_columns(syncs.name)}
    assert not inspect(one.engine).has_table("notes")
    migrate(one, [VERSION_1, SECOND])
    assert inspect(one.engine).has_table("notes")
    one.engine.dispose()


def test_a_ledger_newer_than_the_code_is_refused(url: str):
    newer = database(url)
    migrate(newer, [*VERSIONS, SECOND])
    newer.engine.dispose()
    with pytest.raises(LedgerError, match=r"Upgrade cio-pipeline\."):
        open_ledger(url)


def test_many_can_open_a_fresh_ledger_at_once(url: str):
    opened: list[SqlLedger] = []
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

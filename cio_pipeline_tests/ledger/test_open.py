import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.model.errors import InvalidConfig, LedgerBusy, LedgerError
from cio_pipeline_tests.ledger.build import claim, cut, register, sync
from cio_pipeline_tests.postgres import PASSWORD, Cluster


def test_everything_is_there_after_opening_it_again(url: str, ledger: Ledger):
    register(ledger, "acme")
    ledger.cuts.store(cut(1))
    ledger.close()
    again = open_ledger(url)
    assert again.registry.get("acme").sync == sync("acme")
    assert again.cuts.get(cut(1).at) == cut(1)
    again.close()


@pytest.mark.parametrize(
    "text",
    [
        "ledger.db",
        "mysql://root:s3cret@host/db",
        "postgresql+psycopg2://cio:s3cret@host/db",
        "postgresql://cio:s3cret@host:port/db",
        "postgresql://cio:a@s3cret@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "s3cret",
    ],
)
def test_a_url_that_is_no_ledger_is_refused_without_repeating_it(text: str):
    with pytest.raises(InvalidConfig, match="sqlite:///path") as caught:
        open_ledger(text)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_sqlite_waits_for_locks_and_syncs_to_disk(tmp_path: Path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/a/b/ledger.db")

    def pragma(name: str) -> object:
        return ledger.database.read(lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar())

    assert pragma("journal_mode") == "wal"
    assert pragma("foreign_keys") == 1
    assert pragma("synchronous") == 2
    assert pragma("busy_timeout") == 10_000
    ledger.close()


def test_a_relative_file_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    ledger = open_ledger("sqlite:///.cio/ledger.db")
    ledger.close()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    register(ledger, "acme")
    ledger.close()
    assert (tmp_path / ".cio/ledger.db").exists()
    assert not (tmp_path / "other/.cio").exists()


def test_a_file_that_is_no_database_is_named_with_the_way_out(tmp_path: Path):
    file = tmp_path / "ledger.db"
    file.write_text("not a database, " * 500)
    with pytest.raises(LedgerError, match="Restore a backup") as caught:
        open_ledger(f"sqlite:///{file}")
    assert str(file) in caught.value.message
    assert file.read_text() == "not a database, " * 500


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path):
    file = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{file}")
    register(ledger, *(f"sync-{number}" for number in range(200)))
    ledger.close()
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged") as caught:
        _read_all(f"sqlite:///{file}")
    assert str(file) in caught.value.message


def _read_all(url: str) -> None:
    with closing(open_ledger(url)) as ledger:
        ledger.registry.all()


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path):
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path}")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path):
    (tmp_path / "home").write_text("")
    with pytest.raises(LedgerError, match="folder of the ledger"):
        open_ledger(f"sqlite:///{tmp_path}/home/ledger.db")


def test_a_locked_file_is_busy_after_bounded_tries(tmp_path: Path):
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db?timeout=0.05")
    register(ledger, "acme")
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="locked"):
        claim(ledger)
    assert ledger.registry.get("acme").generation == 1
    other.execute("ROLLBACK")
    other.close()
    assert claim(ledger).tokens == {("acme", "people"): 1}
    ledger.close()


def test_a_plain_postgresql_url_is_taken_as_psycopg_3(postgres_cluster: Cluster):
    url = postgres_cluster.new_schema()
    for name in ("postgresql://", "postgres://", "postgresql+psycopg://"):
        ledger = open_ledger(url.replace("postgresql://", name))
        assert ledger.database.engine.dialect.driver == "psycopg"
        ledger.close()


def test_no_password_is_in_any_error_of_postgresql(postgres_cluster: Cluster):
    wrong_login = postgres_cluster.url("postgres", "s3cret-wrong")
    nothing_there = f"postgresql://cio:{PASSWORD}@127.0.0.1:1/ledger?connect_timeout=2"
    in_query = f"postgresql://127.0.0.1:1/ledger?user=cio&password={PASSWORD}"
    for url, kind in (
        (wrong_login, LedgerError),
        (postgres_cluster.url("no_such_database"), LedgerError),
        (nothing_there, LedgerBusy),
        (in_query, LedgerBusy),
    ):
        with pytest.raises(kind) as caught:
            open_ledger(url)
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert PASSWORD not in text
        assert "s3cret" not in text


def test_no_value_of_a_row_is_in_the_error_of_a_refused_statement(ledger: Ledger):
    with pytest.raises(LedgerError, match="refused") as caught:
        ledger.database.write(
            lambda c: c.exec_driver_sql("INSERT INTO nowhere VALUES ('Ada Lovelace')")
        )
    assert "Ada" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert PASSWORD not in repr(ledger)

"""The state of source tables, and how a source is spelled."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import InvalidConfig, SourceGone
from cio_pipeline.sources.open import open_source, source_uri, storage_options
from cio_pipeline.sources.status import table_statuses
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.sources.things import NOTES, THINGS, minute, put, source


def test_status_tells_versions_rows_and_the_last_change(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1", "b": "1"}, at=10)
    put(found, {"b": "2", "c": "2"}, at=20)
    status, missing = table_statuses(found.uri, [THINGS, NOTES])
    assert (status.version, status.oldest_version, status.rows) == (2, 0, 3)
    assert status.last_change == minute(20)
    assert status.change_feed
    assert status.problems == ()
    assert missing.problems == ("does not exist",)


def test_status_names_what_is_wrong(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "things", source_arrow_schema(THINGS))
    write_deltalake(tmp_path / "notes", pl.DataFrame({"workspace_id": ["1"]}))
    things, notes = table_statuses(str(tmp_path), [THINGS, NOTES])
    assert things.problems == ("its change feed is off: set delta.enableChangeDataFeed=true",)
    assert "workspace_id is String (expected Int64)" in notes.problems
    assert "key is missing (expected String)" in notes.problems


def test_status_samples_repeated_identities(tmp_path: Path) -> None:
    found = source(tmp_path, NOTES)
    for n in range(3):
        put(found, {"a": "1", f"other {n}": "1"}, n, NOTES)
    (status,) = table_statuses(found.uri, [NOTES])
    assert status.problems == ("2 of 6 sampled rows repeat an identity",)
    for file in (tmp_path / "notes").glob("*.parquet"):
        file.unlink()
    (status,) = table_statuses(found.uri, [NOTES])
    assert "files or log entries that it needs were removed" in status.problems[0]


def test_m1_a_message_that_came_again_is_no_problem(tmp_path: Path) -> None:
    """An `event-id` again is a later state of the message, which takes the place of the earlier."""
    table = SOURCE_TABLES["messages"]
    found = source(tmp_path, table)
    for n in range(2):
        state = {"workspace_id": 1, "message_id": "e", "timestamp": None, "metadata": "{}"}
        commit_rows(found.uri, table, pl.DataFrame([state | {"payload": f'{{"n":{n}}}'}]))
    (status,) = table_statuses(found.uri, [table])
    assert (status.rows, status.problems) == (2, ())


def test_status_of_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceGone, match="does not exist"):
        table_statuses(str(tmp_path / "nowhere"), [THINGS])


@pytest.mark.parametrize("spec", ["", "delta:", "postgres:x", "people", "delta:ftp://x/y"])
def test_other_spellings_of_a_source_are_refused(spec: str) -> None:
    with pytest.raises(InvalidConfig, match="delta:<folder>"):
        open_source(spec)


def test_a_source_takes_the_variables_of_its_store_only() -> None:
    environment = {"AWS_REGION": "eu", "AZURE_STORAGE_ACCOUNT_KEY": "k", "HOME": "h"}
    assert source_uri("delta:s3://bucket/path/") == "s3://bucket/path"
    assert open_source("delta:s3://b/p", environment).storage_options == {"AWS_REGION": "eu"}
    azure = open_source("delta:abfss://c@a.dfs.core.windows.net/p", environment)
    assert azure.storage_options == {"AZURE_STORAGE_ACCOUNT_KEY": "k"}
    assert open_source("delta:folder/s3", environment).storage_options == {}
    plain = storage_options("s3://b", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"})
    assert plain["AWS_ALLOW_HTTP"] == "true"

"""Which refused commits are worth another try, and which stay until somebody acts."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, Field, Schema, TableFeatures, write_deltalake

from cio_pipeline.contracts.arrow import source_arrow_schema
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import (
    CioError,
    DiskFull,
    InvalidConfig,
    SourceError,
    SourceUnavailable,
)
from cio_pipeline.sources import append as appending
from cio_pipeline.sources import tables
from cio_pipeline.sources.append import append_rows
from cio_pipeline.sources.fit import fitted
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.sources.things import NOTES, THINGS, latest, minute, put, rows, source


def demand(folder: Path, protocol: Mapping[str, Any]) -> None:
    """Another writer raises what the table demands of all others."""
    number = len(list((folder / "_delta_log").glob("*.json")))
    line = json.dumps({"protocol": protocol}) + "\n"
    (folder / "_delta_log" / f"{number:020}.json").write_text(line)


def writer_feature(name: str) -> Mapping[str, Any]:
    return {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": [name]}


def refusal(write: Callable[[], object]) -> CioError:
    with pytest.raises(CioError) as caught:
        write()
    return caught.value


def both_ways(uri: str) -> list[tuple[SourceTable, Callable[[], object]]]:
    """A merge, an append at once, and one batch by batch."""
    frame = rows({"a": "secret"})
    return [
        (THINGS, lambda: commit_rows(uri, THINGS, frame, minute(2))),
        (NOTES, lambda: commit_rows(uri, NOTES, frame, minute(2))),
        (NOTES, lambda: append_rows(uri, NOTES, [fitted(frame, NOTES)], minute(2))),
    ]


@pytest.mark.parametrize(
    ("protocol", "named"),
    [
        (writer_feature("identityColumns"), "identityColumns"),
        (writer_feature("rowTracking"), "rowTracking"),
        (writer_feature("inCommitTimestamp"), "inCommitTimestamp"),
        (writer_feature("icebergCompatV1"), "icebergCompatV1"),
        (writer_feature("ofTomorrow"), "ofTomorrow"),
        ({"minReaderVersion": 1, "minWriterVersion": 6}, "identityColumns"),
        ({"minReaderVersion": 1, "minWriterVersion": 9}, "protocol"),
    ],
)
def test_a_table_that_we_cannot_write_is_permanent_and_names_the_feature(
    tmp_path: Path, protocol: Mapping[str, Any], named: str
) -> None:
    uri = str(tmp_path)
    source(tmp_path, THINGS, NOTES)
    for name in ("things", "notes"):
        demand(tmp_path / name, protocol)
    for table, write in both_ways(uri):
        error = refusal(write)
        assert isinstance(error, SourceError), error
        assert f"Table {table.name}" in error.message
        assert named in error.message
        assert "Another writer" not in str(error)


def test_a_mutable_table_that_may_only_grow_is_permanent(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, 1)
    DeltaTable(tmp_path / "things").alter.set_table_properties({"delta.appendOnly": "true"})
    error = refusal(lambda: put(found, {"a": "2"}, 2))
    assert isinstance(error, SourceError)
    assert "Table things is append-only (delta.appendOnly), and rows of it were to be changed." in (
        error.message
    )
    assert put(found, {"b": "1"}, 3) == 3, "rows that are new can be added"


def not_null(folder: Path) -> None:
    schema = Schema.from_arrow(source_arrow_schema(NOTES))
    fields = [Field(f.name, f.type, nullable=f.name != "tags") for f in schema.fields]
    DeltaTable.create(folder, Schema(fields), mode="overwrite")


def checked(folder: Path) -> None:
    DeltaTable(folder).alter.add_constraint({"known_value": "value <> 'secret'"})


def invariant(folder: Path) -> None:
    rule = {"delta.invariants": '{"expression": {"expression": "value <> \'secret\'"}}'}
    schema = Schema.from_arrow(source_arrow_schema(NOTES))
    fields = [
        Field(f.name, f.type, metadata=rule if f.name == "value" else {}) for f in schema.fields
    ]
    DeltaTable.create(folder, Schema(fields), mode="overwrite")


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        (not_null, "tags is not null"),
        (checked, "value != 'secret'"),
        (invariant, "the invariant of value"),
    ],
)
def test_rows_that_break_a_rule_of_the_table_are_told_with_the_rule_and_without_values(
    tmp_path: Path, rule: Callable[[Path], None], named: str
) -> None:
    source(tmp_path, THINGS, NOTES)
    for name in ("things", "notes"):
        rule(tmp_path / name)
    before = DeltaTable(tmp_path / "notes").version()
    for table, write in both_ways(str(tmp_path)):
        error = refusal(write)
        assert isinstance(error, SourceError), error
        assert f"Table {table.name} refuses 1 row(s)" in error.message
        assert named in error.message
        assert "+--" not in str(error), "a preview of rows"
    assert DeltaTable(tmp_path / "notes").version() == before


def others_rows(folder: Path) -> None:
    write_deltalake(folder, fitted(rows({"a": "theirs"}), THINGS), mode="append")


def others_delete(folder: Path) -> None:
    DeltaTable(folder).delete("key = 'a'")


def others_column(folder: Path) -> None:
    DeltaTable(folder).alter.add_columns(Field("more", "long"))  # type: ignore[arg-type]


def others_feature(folder: Path) -> None:
    DeltaTable(folder).alter.add_feature(
        [TableFeatures.DeletionVectors], allow_protocol_versions_increase=True
    )


@pytest.mark.parametrize("other", [others_rows, others_delete, others_column, others_feature])
def test_another_writer_in_between_is_transient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Callable[[Path], None]
) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, 1)
    real = tables.fitted

    def meanwhile(given: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
        """Between opening the table and committing to it."""
        other(tmp_path / "things")
        return real(given, table)

    monkeypatch.setattr(tables, "fitted", meanwhile)
    error = refusal(lambda: put(found, {"a": "2"}, 2))
    assert isinstance(error, SourceUnavailable)
    assert "Another writer committed to table things" in error.message


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_giving_the_batches_raises_is_raised_wherever_it_comes(
    tmp_path: Path, after: int
) -> None:
    source(tmp_path, NOTES)
    good = fitted(rows({"a": "1"}), NOTES)

    def breaking() -> Iterator[pl.DataFrame]:
        yield from [good] * after
        raise InvalidConfig("The file ended too early.", "Fetch it again.")

    error = refusal(lambda: append_rows(str(tmp_path), NOTES, breaking(), minute(1)))
    assert str(error) == "The file ended too early. Fetch it again."
    assert DeltaTable(tmp_path / "notes").version() == 0


class Refused(OSError):
    """Stands in for what a store or disk says."""


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("403 Forbidden https://x/?sig=SECRET", SourceError, "refuses to take"),
        ("error sending request for url", SourceUnavailable, "cannot be reached"),
        ("No space left on device (os error 28)", DiskFull, "No space"),
        ("Disk quota exceeded (os error 122)", DiskFull, "No space"),
        ("something else", SourceError, "cannot be written"),
    ],
)
def test_what_a_store_says_to_a_commit_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[CioError], told: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refused(said)

    source(tmp_path, THINGS, NOTES)
    for module in (tables, appending):
        monkeypatch.setattr(module, "write_deltalake", refuse)
    monkeypatch.setattr(DeltaTable, "merge", refuse)
    for table, write in both_ways(str(tmp_path)):
        error = refusal(write)
        assert isinstance(error, kind)
        assert told in error.message
        assert table.name in error.message
        assert "SECRET" not in str(error)
    assert latest(source(tmp_path)).version == 0

"""D23: whatever rows of calls and messages hold, the good ones are sent, the others held back."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.exceptions import PanicException

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files import encode_calls, encode_messages
from cio_pipeline.files.call_names import FORMATS
from cio_pipeline.files.encode import Encoded
from cio_pipeline.files.message_keys import compile_template
from cio_pipeline.files.spool import Spool
from cio_pipeline_tests.changesets.test_any_value import EDGES, ODD_TIMES

Rows: TypeAlias = list[dict[str, Any]]

GOOD: dict[str, dict[str, Any]] = {
    "calls": {"call_id": "good", "type": "track", "received_at": EDGES[1], "payload": "{}"},
    "messages": {"message_id": "good", "timestamp": "2026-03-01T12:00:00Z", "payload": "{}"},
}
TEXTS = st.sampled_from(
    [
        *[None, "", "\0", "\u00e9\U0001f600\ud7ff\uffff", '"', "x" * 3000, "[" * 20_000],
        *["{}", '{"a":1e400}', '{"a":[1e400]}', '{"a":' + "9" * 5000 + "}", '{"a":"\\ud83d"}'],
        *["{" * 300, '{"a":' * 300 + "1" + "}" * 300, "NaN", "null", "track", "TRACK "],
        '{"timestamp":"9999-12-31T23:59:59-23:59","messageId":1,"receivedAt":[],"traits":[]}',
        *["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z", "2026-03-01T12:00:00Z"],
    ]
)
TIMES = st.sampled_from([None, 0, *EDGES, *ODD_TIMES])
KINDS = {"call_id": TEXTS, "type": TEXTS, "payload": TEXTS, "received_at": TIMES}
ODD: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "calls": st.fixed_dictionaries(KINDS),
    "messages": st.fixed_dictionaries(
        dict.fromkeys(["message_id", "timestamp", "metadata", "payload"], TEXTS)
    ),
}


def frame(table: str, rows: Rows) -> pl.LazyFrame:
    """Rows of workspace 1, numbered as their identity; times are microseconds since 1970."""
    schema = source_schema(SOURCE_TABLES[table])
    stored = {n: pl.Int64() if isinstance(t, pl.Datetime) else t for n, t in schema.items()}
    data = [{"workspace_id": 1, **row} for row in rows]
    return (
        pl.LazyFrame(data, schema=stored)
        .cast({n: t for n, t in schema.items() if isinstance(t, pl.Datetime)})
        .with_columns(identity=pl.int_range(pl.len()).cast(pl.String))
    )


def encoded(table: str, rows: Rows, folder: Path, file_format: str = "json") -> Encoded:
    spool, read = Spool(folder), frame(table, rows)
    if table == "calls":
        how = encode_calls.CallFormat(file_format, "ms", 1000)
        return encode_calls.encode_calls(read, how, spool=spool, folder="f")
    template = compile_template(DEFAULT_KEY_TEMPLATE)
    export = ALL_EXPORTS["messages"]
    return encode_messages.encode_messages(read, template, export, spool=spool, folder="f")


@settings(max_examples=100)
@given(st.data(), st.sampled_from(sorted(GOOD)), st.sampled_from(FORMATS))
def test_d23_good_rows_are_sent_whatever_the_others_hold(
    data: st.DataObject, table: str, file_format: str
) -> None:
    rows = [GOOD[table], *data.draw(st.lists(ODD[table], max_size=5)), GOOD[table]]
    with TemporaryDirectory() as folder:
        found = encoded(table, rows, Path(folder), file_format)
        for file in found.files:
            if file.path.endswith("parquet"):
                _require_readable(Path(folder) / file.path)

    assert {row.identity for row in found.rejected}.isdisjoint({"0", str(len(rows) - 1)})
    assert sum(f.rows for f in found.files) + sum(r.count for r in found.rejected) == len(rows)


def _require_readable(file: Path) -> None:
    duckdb.execute("set TimeZone = 'UTC'")
    assert duckdb.read_parquet(str(file)).fetchall()
    assert pq.read_table(file).to_pylist()


@pytest.mark.parametrize("at", ODD_TIMES)
def test_d26_a_call_received_when_no_reader_can_tell_is_held_back(tmp_path: Path, at: int) -> None:
    odd = {**GOOD["calls"], "received_at": at}

    found = encoded("calls", [GOOD["calls"], odd], tmp_path)

    (row,) = found.rejected
    assert (row.identity, row.reason) == ("1", "received_at lies outside of the years 1 to 9999")
    assert [file.rows for file in found.files] == [1]


def _raising(true: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """A harmless stand-in: reads all but what says so."""

    def read(*given: Any) -> Any:
        if "odd" in str(given):
            raise error
        return true(*given)

    return read


@pytest.mark.parametrize("error", [PanicException("a value"), RecursionError("a value")])
@pytest.mark.parametrize(
    ("table", "place"), [("calls", "call_table"), ("messages", "read_message")]
)
def test_d23_what_reading_one_row_raises_is_that_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: str, place: str, error: BaseException
) -> None:
    module: Any = encode_calls if table == "calls" else encode_messages
    monkeypatch.setattr(module, place, _raising(getattr(module, place), error))
    rows = [GOOD[table], {**GOOD[table], "payload": '{"odd":1}'}, GOOD[table]]

    found = encoded(table, rows, tmp_path)

    (row,) = found.rejected
    assert (row.identity, row.reason) == ("1", f"cannot be read ({type(error).__name__})")
    assert sum(file.rows for file in found.files) == 2


def test_what_ends_a_process_is_not_taken_for_a_row_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    true = encode_calls.call_table
    monkeypatch.setattr(encode_calls, "call_table", _raising(true, KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        encoded("calls", [{**GOOD["calls"], "payload": '{"odd":1}'}], tmp_path)

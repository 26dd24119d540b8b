"""B12, C3: a row tells what its SDK sent, to the last character, and nothing that was made."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.exports.calls import CALL_TYPES, type_export
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.call_names import FORMATS
from cio_pipeline.files.call_payload import payload_of_cells, payload_of_line
from cio_pipeline_tests.calls.reading import exact, table_of
from cio_pipeline_tests.calls.test_rows import JSON, MEMBERS

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MADE = "0123456789abcdef" * 2


def _lines(file: Path, kind: str) -> list[str]:
    return [payload_of_line(line, kind) for line in file.read_text("utf-8").splitlines()]


def _records(file: Path, kind: str) -> list[str]:
    with file.open(newline="", encoding="utf-8") as records:
        return [payload_of_cells(row, kind) for row in csv.DictReader(records)]


def _rows(file: Path, kind: str) -> list[str]:
    return [payload_of_cells(row, kind) for row in pq.read_table(file).to_pylist()]


BACK: dict[str, Callable[[Path, str], list[str]]] = {
    "json": _lines,
    "csv": _records,
    "parquet": _rows,
}


def came_back(
    payload: str, kind: str, file_format: str, unit: str = "us", call_id: str = MADE
) -> str:
    """What a consumer makes of the row of a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"1.{file_format}"
        file = CallFile(path, type_export(kind), file_format, unit, {})
        file.write(table_of(payload, kind, file_format, unit, call_id))
        file.close()
        (found,) = BACK[file_format](path, kind)
    return found


IDS = st.sampled_from([f'"{MADE}"', '"m"', '""', "null", "7", f'"{MADE} "', f'"{MADE.upper()}"'])
USERS = st.sampled_from(['"a@b.example"', '"?"', '"\\ud83d"', '""', "null", "7", '"u"'])
EMAILS = ['"a@b.example"', '"?"', '"\\ud83d"', '""', "7"]
TRAITS = st.sampled_from([*(f'{{"email": {email}}}' for email in EMAILS), "[]", '"email"', "null"])
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        **MEMBERS,
        "messageId": IDS | JSON,
        "userId": USERS | JSON,
        "traits": TRAITS | JSON,
    },
).map(lambda found: "{" + ",".join(f'"{name}":{text}' for name, text in found.items()) + "}")


@settings(max_examples=150)
@given(
    PAYLOADS,
    st.sampled_from(CALL_TYPES),
    st.sampled_from(FORMATS),
    st.sampled_from(["us", "ms"]),
)
def test_b12_the_payload_comes_back_whatever_it_was(
    payload: str, kind: str, file_format: str, unit: str
) -> None:
    found = came_back(payload, kind, file_format, unit)

    # The type is told by the file, in the seed's spelling, unless the payload spells another.
    assert exact(found) == {"type": kind, **exact(payload)}


TIME = "2026-03-01T12:00:00.000Z"


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("call_id", [MADE, "42", "Ünïque"])
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"messageId": MADE},
        {"messageId": "42"},
        {"messageId": None},
        {"receivedAt": TIME},
        {"receivedAt": "2026-03-01T12:00:00Z"},
        {"receivedAt": "2026-03-01T13:00:00Z"},
        {"traits": {"email": "a@b.example"}},
        {"traits": {"email": "a@b.example"}, "userId": "a@b.example"},
        {"traits": {"email": "a@b.example"}, "userId": ""},
        {"traits": {"email": "a@b.example"}, "userId": None},
        {"traits": {"email": "a@b.example"}, "userId": "u"},
        {"messageId": "m", "extra": {"a": 1}, "user_id": "u", "receivedAt": None},
    ],
    ids=json.dumps,
)
def test_b12_what_was_made_is_told_from_what_was_sent(
    sent: dict[str, Any], call_id: str, file_format: str
) -> None:
    payload = {"type": "identify", **sent}

    found = came_back(json.dumps(payload), "identify", file_format, call_id=call_id)

    assert json.loads(found) == payload


def test_b12_columns_are_filled_all_the_same() -> None:
    """What can be told apart still identifies: C2, C4."""
    payload = '{"type":"identify","traits":{"email":"a@b.example"}}'

    row = table_of(payload, "identify", "parquet", call_id="42").row(0, named=True)

    assert (row["user_id"], row["received_at"]) == ("a@b.example", AT)
    assert row["message_id"] == "73475cb40a568e8da8a045ced110137e"
    assert row["extra"] is None


def test_a_row_s_own_id_is_the_message_id_if_it_has_the_form_of_one() -> None:
    row = table_of('{"type":"page"}', "page", "csv", call_id=MADE).row(0, named=True)

    assert row["message_id"] == MADE

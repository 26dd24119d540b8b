"""What becomes of a payload in each format (C2, C3, C4)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.exports.calls import CALL_TYPES, COLUMNS, type_export
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.call_names import FORMATS
from cio_pipeline.model.event_names import slug
from cio_pipeline_tests.calls.reading import READERS, exact, payload_of, table_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(payload: str, kind: str, file_format: str = "parquet", unit: str = "us") -> dict[str, Any]:
    found = table_of(payload, kind, file_format, unit).row(0, named=True)
    return {name: value for name, value in found.items() if value is not None}


def read_back(path: Path, payload: str, kind: str, file_format: str) -> dict[str, Any]:
    """The row as a consumer of the file finds it."""
    file = CallFile(path, type_export(kind), file_format, "us", {})
    file.write(table_of(payload, kind, file_format))
    file.close()
    (found,) = READERS[file_format](path)
    return found


NUMBERS = st.sampled_from(["0", "-0", "1.10", "1E400", "12041091891110123", "9" * 30, "1e-7"])
JSON = st.recursive(
    st.sampled_from(["null", "true", '""', '"\\ud83d"', '"\\u0000"', '"a\\"b,\\r\\n;é\U0001f600"'])
    | NUMBERS
    | st.text(st.characters(codec="utf-8"), max_size=8).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=4), inner, max_size=3).map(
            lambda parts: "{" + ",\n".join(f"{json.dumps(k)} : {v}" for k, v in parts.items()) + "}"
        )
    ),
    max_leaves=8,
)
TIMES = st.sampled_from(
    [
        '"2021-07-12T23:02:40.563Z"',
        *['"2021-07-12T23:02:40.123456789Z"', '"2021-07-12T23:02:40.5Z"', '"2021-07-12T23:02:40Z"'],
        *['"2021-07-12T23:02:40.123456Z"', '"2026-03-01T12:00:00.000Z"', '"2026-03-01T12:00:00Z"'],
        '"2021-07-12T23:02:40+02:00"',
        '"2021-07-12"',
        '"yesterday"',
        "1626130960",
        "null",
        '"9999-12-31T23:59:59-14:00"',
    ]
)
MEMBERS: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(["timestamp", "originalTimestamp", "sentAt", "receivedAt"], TIMES),
    **dict.fromkeys(
        [
            *["messageId", "anonymousId", "userId", "groupId", "previousId", "name", "category"],
            *["event", "context", "integrations", "traits", "properties", "extra", "user_id"],
            *["type", "channel"],
        ],
        JSON,
    ),
}
PAYLOADS = st.fixed_dictionaries({}, optional=MEMBERS).map(
    lambda found: "{" + ",".join(f'"{name}":{text}' for name, text in found.items()) + "}"
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PAYLOADS, st.sampled_from(CALL_TYPES), st.sampled_from(FORMATS))
def test_c3_whatever_came_in_can_be_read_back(
    tmp_path: Path, payload: str, kind: str, file_format: str
) -> None:
    found = read_back(tmp_path / f"1.{file_format}", payload, kind, file_format)
    before = exact(payload)
    # The type is told by the file, in the seed's spelling, unless the payload spells another.
    before = {"type": kind, **before}
    assert payload_of(found, kind) == before, found


def test_c2_columns_are_in_the_contract_s_order_and_absent_ones_absent(tmp_path: Path) -> None:
    payload = '{"properties":{"b":1,"a":2},"event":"E","messageId":"m","sentAt":null,"x":1}'
    text = read_text(tmp_path, payload, "track", "json")
    assert text == (
        '{"message_id":"m","sent_at":null,"received_at":"2026-03-01T12:00:00Z",'
        '"extra":{"sentAt":null,"x":1},"event":"e","event_text":"E",'
        '"properties":{"b":1,"a":2}}\n'
    )
    names = list(exact(text))
    assert names == [c.name for c in COLUMNS["track"] if c.name in names]


def read_text(tmp_path: Path, payload: str, kind: str, file_format: str) -> str:
    path = tmp_path / f"1.{file_format}"
    read_back(path, payload, kind, file_format)
    return path.read_bytes().decode()


def test_c3_csv_is_as_rfc_4180_says(tmp_path: Path) -> None:
    payload = '{"messageId":"m","userId":"a\\"b,c\\r\\nd","name":""}'
    assert read_text(tmp_path, payload, "page", "csv") == (
        "message_id,anonymous_id,user_id,timestamp,original_timestamp,sent_at,received_at,context,"
        "integrations,extra,name,category,properties\r\n"
        'm,,"a""b,c\r\nd",,,,2026-03-01T12:00:00Z,,,"{""name"":""""}","",,\r\n'
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order Completed", "order_completed"),
        ("  checkout-started!", "checkout_started"),
        ("Äpfel & Birnen", "äpfel_birnen"),
        ("already_a_slug", "already_a_slug"),
        ("v2.0", "v2_0"),
        ("!!!", ""),
    ],
)
def test_c2_an_event_s_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("user", ["", '"userId":"",', '"userId":null,'])
def test_c4_without_a_user_id_the_email_identifies(user: str) -> None:
    payload = f'{{{user}"traits":{{"email":"a@b.example"}}}}'
    assert row(payload, "identify")["user_id"] == "a@b.example"
    assert row(payload, "identify", "json")["user_id"] == '"a@b.example"'
    assert row(payload, "track").get("user_id", "") in {"", None}
    kept = exact(row(payload, "identify").get("extra", "{}"))
    assert ("userId" in kept) is bool(user)


def test_c4_a_user_id_wins_over_the_email() -> None:
    payload = '{"userId":"u","traits":{"email":"a@b.example"}}'
    assert row(payload, "identify")["user_id"] == "u"


@pytest.mark.parametrize(
    ("text", "value", "whole"),
    [
        ("2021-07-12T23:02:40.563Z", datetime(2021, 7, 12, 23, 2, 40, 563000, UTC), True),
        ("2021-07-12T23:02:40.563100Z", datetime(2021, 7, 12, 23, 2, 40, 563100, UTC), True),
        ("2021-07-12T23:02:40.5631Z", datetime(2021, 7, 12, 23, 2, 40, 563100, UTC), False),
        ("2021-07-12T23:02:40.563000Z", datetime(2021, 7, 12, 23, 2, 40, 563000, UTC), False),
        ("2021-07-12T23:02:40Z", datetime(2021, 7, 12, 23, 2, 40, 0, UTC), False),
        ("2021-07-12T23:02:40.123456789Z", datetime(2021, 7, 12, 23, 2, 40, 123456, UTC), False),
        ("2021-07-13T01:02:40+02:00", datetime(2021, 7, 12, 23, 2, 40, 0, UTC), False),
        ("2021-07-12", datetime(2021, 7, 12, tzinfo=UTC), False),
        ("soon", None, False),
    ],
)
def test_c2_times_are_typed_and_what_they_lose_stays_readable(
    text: str,
    value: datetime | None,
    whole: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    found = row(json.dumps({"timestamp": text, "properties": {}}), "track")
    assert found.get("timestamp") == value
    assert exact(found.get("extra", "{}")) == ({} if whole else {"timestamp": text})


def test_d2_milliseconds_keep_what_they_cannot_hold() -> None:
    payload = '{"timestamp":"2021-07-12T23:02:40.563100Z"}'
    assert "extra" in row(payload, "track", unit="ms")
    assert "extra" not in row(payload, "track", unit="us")

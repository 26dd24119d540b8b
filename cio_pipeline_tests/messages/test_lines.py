"""M1: files of messages are read line by line; a bad line stops no other."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.message_lines import MessageLines

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
METADATA = '{"event-id":"e","timestamp":"2026-03-01T12:00:00.123456789Z"}'


def line(payload: str, metadata: str = METADATA) -> str:
    return f'{{"metadata": {metadata}, "body": {{"data": {payload}}}}}'


@dataclass(frozen=True)
class Read:
    rows: list[dict[str, Any]]
    bad: list[BadLine]


def read(tmp_path: Path, *lines: str | bytes, end: bytes = b"\n") -> Read:
    path = tmp_path / "messages.ndjson"
    raw = [one.encode() if isinstance(one, str) else one for one in lines]
    path.write_bytes(b"\n".join(raw) + end)
    found = MessageLines(7, NOON)
    rows = [row for batch in found.read(path) for row in batch.rows(named=True)]
    return Read(rows, found.bad)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line("{}")[:-3], "is no valid JSON"),
        (b'{"body": {"data": {"a": "\xff"}}}', "is no valid UTF-8"),
        (b'{"body": {"data": {"a": "\xed\xa0\x80"}}}', "is no valid UTF-8"),
        (line('{"a": NaN}'), "holds NaN or Infinity, which is no JSON"),
        (line('{"a": -Infinity}'), "holds NaN or Infinity, which is no JSON"),
        ("\ufeff" + line("{}"), "is no valid JSON"),
        (line("{}", '{"event-id":"a","event-id":"b"}'), "metadata has a key that stands twice"),
        (line("{}", METADATA.replace('"e"', '"\\ud800"')), "metadata.event-id has half of a"),
        (line("{}", METADATA.replace('"e"', "5")), "metadata.event-id is no string"),
        (line("{}", METADATA.replace('"e"', '""')), "it has no event-id"),
        (line("{}", "[]"), "metadata is no JSON object"),
        (line("{}", '{"event-id":"e"}'), "metadata has no timestamp"),
        (line("{}", '{"timestamp":"2026-03-01T12:00:00Z"}'), "metadata has no event-id"),
        (line("{}", '{"event-id":"e","timestamp":"today"}'), "its timestamp is no RFC 3339 time"),
        (line("{}", METADATA[:-1] + f',"topic":"{"x" * 2048}"}}'), "the metadata has 2,"),
        (line("[]"), "its payload is no JSON object"),
        (line('{"a":' * 20_000 + "1" + "}" * 20_000), "is nested deeper than 10,000 levels"),
        ('{"metadata": {}}', "has no body"),
        ('{"body": 5}', "is no JSON object"),
        ("[]", "is no JSON object"),
        ("no json at all", "is no valid JSON"),
    ],
    ids=range(21),
)
def test_a_bad_line_is_told_with_its_number_and_reason_and_stops_no_other(
    tmp_path: Path, bad: str | bytes, reason: str
) -> None:
    found = read(tmp_path, line('{"a":1}'), "", bad, line('{"b":2}'))
    assert [row["payload"] for row in found.rows] == ['{"a":1}', '{"b":2}']
    assert [row["arrival"] for row in found.rows] == [1, 2]
    assert len(found.bad) == 1
    assert (found.bad[0].file, found.bad[0].line) == ("messages.ndjson", 3)
    assert found.bad[0].reason.startswith(reason)


@pytest.mark.parametrize(
    "payload",
    [
        '{"a":"' + "x" * 10_000_000 + '"}',
        '{"a":' * 1000 + "1" + "}" * 1000,
        '{"a":1,"a":2.50}',
        '{"a":"\\ud800 \\u0000"}',
        '{"b" :  1E400, "a":12041091891110123456789}',
    ],
    ids=["10 MB", "1,000 levels", "key twice", "lone surrogate", "spaces and digits"],
)
def test_a_payload_is_taken_as_it_is(tmp_path: Path, payload: str) -> None:
    found = read(tmp_path, line(payload), end=b"")
    assert found.bad == []
    assert found.rows[0] == {
        "workspace_id": 7,
        "message_id": "e",
        "arrival": 1,
        "timestamp": "2026-03-01T12:00:00.123456789Z",
        "metadata": METADATA,
        "payload": payload,
    }


def test_a_file_may_begin_with_a_mark_and_end_lines_as_windows_does(tmp_path: Path) -> None:
    found = read(tmp_path, b"\xef\xbb\xbf" + line("{}").encode() + b"\r", line('{"a":1}'))
    assert found.bad == []
    assert len(found.rows) == 2


def test_a_line_without_metadata_gets_what_its_payload_tells(tmp_path: Path) -> None:
    payload = '{"projectId":"p","operationId":"o","operationTime":"2024-12-07T00:20:40Z","x":1}'
    found = read(
        tmp_path, f'{{"body": {payload}}}', '{"body": {"data": {"x": 1}}}', '{"body": {"data": {}}}'
    )
    full, bare, empty = (json.loads(row["metadata"]) for row in found.rows)
    assert {name: full[name] for name in ("projectId", "operationId", "timestamp")} == {
        "projectId": "p",
        "operationId": "o",
        "timestamp": "2024-12-07T00:20:40Z",
    }
    assert bare["timestamp"] == "2026-03-01T12:00:00Z"
    assert len({full["event-id"], bare["event-id"], empty["event-id"]}) == 3
    assert found.rows[0]["payload"] == payload

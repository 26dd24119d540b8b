"""M1: a message's payload is not touched; what cannot become an object says why."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.files.message_keys import compile_template
from cio_pipeline.files.message_objects import (
    MessageObject,
    NoObject,
    as_object,
    metadata_entries,
    read_message,
)

TIME = "2026-03-01T12:00:00.123456789Z"
DEFAULT = compile_template(DEFAULT_KEY_TEMPLATE)


def made(payload: str, metadata: str | None = None, timestamp: str | None = TIME) -> MessageObject:
    return as_object(read_message("m1", timestamp, metadata, payload), DEFAULT)


@pytest.mark.parametrize(
    "payload",
    [
        '{"commitNumber":12041091891110123456789}',
        '{ "b" : 1.10,  "a":1E400, "b":2}',
        '{"x":"\\ud800 \\u00e9 é グ \\/"}',
        "{" + '"a":{' * 1000 + "}" * 1001,
        '{"x":"' + "y" * 10_000_000 + '"}',
        '{"x":\n [1,\t2]}',
    ],
    ids=["large number", "twice, exponent", "escapes", "deep", "10 MB", "white space"],
)
def test_the_body_holds_the_payload_byte_for_byte(payload: str) -> None:
    assert made(payload).body == b'{"data": ' + payload.encode() + b"}"


def test_only_entries_that_are_there_become_metadata() -> None:
    found = made("{}", '{"objectName":"グ","operationId":null,"other":"x","topic":""}')
    assert found.metadata == {
        "objectName": "%E3%82%B0",
        "event-id": "m1",
        "timestamp": TIME,
        "topic": "",
    }
    assert found.key == f"{TIME}_m1.json"
    assert found.at.microsecond == 123456


@pytest.mark.parametrize(
    ("payload", "metadata", "why"),
    [
        ("[1]", None, "its payload is no JSON object"),
        ('{"a":NaN}', None, "its payload holds NaN or Infinity"),
        ('{"a":', None, "its payload is no valid JSON"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, None, "its payload is nested deeper than 10,000"),
        ("{}", "[]", "metadata is no JSON object"),
        ("{}", '{"topic":1}', r"metadata\.topic is no string"),
        ("{}", '{"topic":"a","topic":"b"}', "metadata has a key that stands twice"),
        ("{}", '{"topic":"\\ud800"}', r"metadata\.topic has half of a surrogate pair"),
        ("{}", '{"timestamp":"yesterday"}', "its timestamp is no RFC 3339 time"),
        ("{}", '{"event-id":"a/../b"}', r"the key has a '\.' or '\.\.'"),
        ("{}", f'{{"topic":"{"x" * 2048}"}}', "S3 takes 2,048"),
    ],
)
def test_what_cannot_become_an_object_is_told_why(
    payload: str, metadata: str | None, why: str
) -> None:
    with pytest.raises(NoObject, match=why):
        made(payload, metadata)


def test_a_message_without_a_time_becomes_no_object() -> None:
    with pytest.raises(NoObject, match="no timestamp"):
        made("{}", timestamp=None)


@given(st.text(max_size=8), st.booleans())
def test_entries_are_the_texts_that_json_says(text: str, plain: bool) -> None:  # noqa: FBT001
    raw = json.dumps(text, ensure_ascii=not plain)
    with contextlib.suppress(UnicodeEncodeError):
        raw.encode()
        assert metadata_entries(f'{{"topic":{raw}}}') == {"topic": json.loads(raw)}

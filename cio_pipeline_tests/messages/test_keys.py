"""M2: keys of messages; every template of seed 003 gives the key that it documents."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE, SAMPLES
from cio_pipeline.files.message_keys import LONGEST_TEXT, NoKey, compile_template
from cio_pipeline.files.message_time import time_context
from cio_pipeline.files.names import key_problem
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import decoded

READ, PAYLOAD = SAMPLES["read"]
EVENT = READ["event-id"]
TOLD = "2026-03-08T09:07:05.040302010Z"


def render(template: str, data: Any = None, **changed: str) -> str:
    metadata = READ | changed
    payload = PAYLOAD if data is None else data if isinstance(data, str) else json.dumps(data)
    context = time_context(metadata["timestamp"])
    return compile_template(template).render(metadata, context, decoded(payload))


@pytest.mark.parametrize(
    ("template", "key"),
    [
        (DEFAULT_KEY_TEMPLATE, f"{TOLD}_{EVENT}.json"),
        ("join('/', [metadata.objectName, metadata.operationId])", f"invoices/{EVENT}"),
        (
            "join('/', [metadata.objectName, time.date, metadata.\"event-id\"])",
            f"invoices/2026-03-08/{EVENT}",
        ),
        (
            "join('', [time.rfc3339_nano, '_', metadata.\"event-id\", '.json'])",
            f"{TOLD}_{EVENT}.json",
        ),
        (
            "join('/', [data.installationId, metadata.operationId])",
            f"7c1d9a44-0b8e-4c6f-8f52-d3e0a1b2c3d4/{EVENT}",
        ),
    ],
)
def test_the_templates_of_the_seed_give_the_keys_that_it_documents(template: str, key: str) -> None:
    assert render(template) == key


@pytest.mark.parametrize("name", [name for name in READ if name != "event-id"])
def test_every_entry_of_the_metadata_can_be_used(name: str) -> None:
    assert render(f"metadata.{name}") == READ[name]


def test_the_time_is_told_in_utc_zero_padded_with_nine_digits_of_a_second() -> None:
    assert time_context("2026-01-02T04:05:06.07+01:00") == {
        "year": "2026",
        "month": "01",
        "day": "02",
        "hour": "03",
        "minute": "05",
        "second": "06",
        "date": "2026-01-02",
        "datetime": "2026-01-02T03:05:06",
        "unix": "1767323106",
        "rfc3339": "2026-01-02T03:05:06Z",
        "rfc3339_nano": "2026-01-02T03:05:06.070000000Z",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-13-02T00:00:00Z",
        "2026-01-02T00:00:60Z",
        "2026-01-02T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "2026-01-02T00:00:00+24:00",
        "1700000000",
        "\uff12026-01-02T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        time_context(text)


@pytest.mark.parametrize(
    ("number", "template"),
    [
        ("9007199254740993", "to_string(data.a)"),
        ("1.10", "to_string(data.a)"),
        ("12345678901234567890.10", "data.[to_string(a)] | [0]"),
        ("1E400", "join('', [to_string(data.a)])"),
    ],
)
def test_numbers_of_the_payload_keep_their_digits_in_a_key(number: str, template: str) -> None:
    assert render(template, f'{{"a":{number}}}') == number


@pytest.mark.parametrize(
    ("template", "data", "why"),
    [
        ("data.missing", {}, "gives null, not a string"),
        ("data.a", {"a": 5}, "gives a number"),
        ("data.a", {"a": 1.5}, "gives a number"),
        ("data.a", {"a": True}, "gives a boolean"),
        ("data.a", {"a": ["x"]}, "gives a list"),
        ("data", {"a": "x"}, "gives an object"),
        ("data.a", {"a": ""}, "is empty"),
        ("data.a", {"a": "/x"}, "slash"),
        ("data.a", {"a": "x/"}, "slash"),
        ("data.a", {"a": "x//y"}, "slash"),
        ("data.a", {"a": "x/../y"}, r"'\.\.'"),
        ("data.a", {"a": "x\ny"}, "control character"),
        ("data.a", {"a": "\ud800"}, "control character"),
        ("data.a", {"a": "x\\y"}, "backslash"),
        ("data.a", {"a": "é" * 513}, "more than 1024 bytes"),
        ("data.a", {"a": "abc/" * 192 + "x"}, "more than 768 bytes"),
        ("data.a", {"a": "é" * 128}, "a part of more than 255 bytes"),
        ("data.a", {"a": "x/" * 200 + "x"}, "more than 200 parts"),
        ("data.a", {"a": "x./y"}, "a part that ends in a dot"),
        ("data.a", {"a": "_cio/1.manifest"}, "manifests"),
        ("data.a", {"a": "_CIO"}, "manifests"),
        ("data.a", {"a": "x#1"}, "unfinished"),
        ("join('/', [data.a, data.b])", {"a": "secret"}, r"gives null to join\(\)"),
        ("join('/', data.a)", {"a": "secret"}, r"gives string to join\(\)"),
        ("contains(data.a, `1`) && 'x'", {"a": "secret"}, "cannot be worked out"),
        ("to_string(data)", {"a": "x" * (LONGEST_TEXT + 1)}, "text of more than"),
    ],
)
def test_a_message_without_a_clean_key_is_told_why_without_its_values(
    template: str, data: Any, why: str
) -> None:
    with pytest.raises(NoKey, match=why) as raised:
        render(template, data)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("template", ["data.a", "@.data.a", "[@][0].data.a", "*.a | [0]"])
def test_a_template_is_known_to_read_the_payload(template: str) -> None:
    assert compile_template(template).reads_data
    assert not compile_template("join('/', [metadata.objectName, time.date])").reads_data


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "cannot be empty"),
        ("join('/', [metadata.objectName", "no JMESPath"),
        ("metadata.event-id", "no JMESPath"),
        ("'" + "x" * 2000 + "'", "characters"),
        ("(" * 900 + "@" + ")" * 900, "nested too deeply"),
        (" | ".join(["[@, @]"] * 40), "times over"),
        (" | ".join(["join('', [@, @])"] * 40), "times over"),
        (
            (
                "map(&map(&[@, @, @, @], [@, @, @, @]), [@, @, @, @]) | [@, @, @, @, @]"
                " | [@, @, @, @]"
            ),
            "times over",
        ),
    ],
)
def test_a_template_that_cannot_be_used_or_grows_without_end_is_refused(
    template: str, why: str
) -> None:
    with pytest.raises(InvalidConfig, match=why):
        compile_template(template)


def is_refused(key: str) -> bool:
    """What a store could take for something else: docs/messages.md."""
    of_manifests = key.lower().split("/")[0] == "_cio"
    return of_manifests or bool(re.search(r"#[0-9]+$", key) or re.search(r"\.(/|$)", key))


@settings(max_examples=150, deadline=None)
@example("0.")
@example("a#1")
@given(st.text(max_size=20) | st.none() | st.integers() | st.lists(st.text(), max_size=2))
def test_a_key_is_the_text_that_it_is_made_of_or_none_at_all(value: Any) -> None:
    try:
        key = render("data.a", {"a": value})
    except NoKey:
        assert not isinstance(value, str) or key_problem(value) or is_refused(value)
    else:
        assert key == value
        assert key_problem(key) is None

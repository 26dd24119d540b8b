"""C3, D3: payloads are taken apart in two ways that agree to the last character."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.files import call_members
from cio_pipeline.files.call_members import InOrder, Members, OneByOne, taken_apart
from cio_pipeline.files.call_names import FORMATS
from cio_pipeline.files.call_table import call_table
from cio_pipeline.model import json_text
from cio_pipeline.model.json_text import NotJson
from cio_pipeline_tests.calls.test_rows import PAYLOADS

PIECES = st.sampled_from(
    [
        *"{}[]:,\"\\ \n\t01-.eE\x00\x1e\x1f\x7f'",
        *[
            '"a"',
            '"a":',
            '"b": ',
            "null",
            "true",
            "nul",
            "NaN",
            "-Infinity",
            "01",
            "-0",
            "1.",
            "1e5",
        ],
        *["1E+5", "1e999", "9" * 400, "\\ud83d", "\\ude00", '"\\ud83d"', '"\\u00e9"', '"\\u12G4"'],
        *[
            '"\\x"',
            "\u00e9",
            "\u2028",
            "\ufeff",
            "\U0001f600",
            "//",
            "\x0b",
            "\xa0",
            '"\\u001e": 1',
        ],
    ]
)
BEGINS = st.sampled_from(
    ['{"a":1,"b":"x"', '{"a": {"b": [1, 2.50]}, "c": null', '{"a":', "{", "[", ""]
)
TEXTS = st.tuples(BEGINS, st.lists(PIECES, max_size=6), st.sampled_from(["}", "]}", ""])).map(
    lambda parts: parts[0] + "".join(parts[1]) + parts[2]
)
ODD = [
    *["{}", "{ }", "[]", "", "{", '{"a":1}', '{"a": 1}', '{"a" :1}', ' {"a":1}', '{"a":1}\n'],
    *['{"a":1,"a":2}', '{"a": 1, "a": 2}', '{"a":1, "b":2}', '{"a": 1,"b": 2}', '{"\\u0061":1}'],
    *[
        '{"a":1,"a":1}',
        '{"": 1}',
        '{"\\u001e":1,"b":2}',
        '{"a":"\\ud83d"}',
        '{"a":NaN}',
        "1",
        "null",
    ],
    '{"a":' + "[" * 1200 + "]" * 1200 + "}",
]


def one_by_one(text: str) -> Any:
    """Names, raw texts and their order; or why there are none."""
    try:
        return list(json_text._one_by_one(text, twice=False).items())
    except NotJson as error:
        return str(error)


ALIKE = st.lists(st.sampled_from("abcdefg"), unique=True, min_size=1).flatmap(
    lambda names: st.lists(
        st.lists(st.sampled_from(["1", '"x"', '{"b":[1, 2.50]}', '"\u00e9 \\" ,"', None])).map(
            lambda texts: json_of(
                {n: t for n, t in zip(names, texts, strict=False) if t is not None}
            )
        ),
        max_size=12,
    )
)
"""Payloads that share an order, some of whose members are left out."""


def json_of(members: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {raw}' for name, raw in members.items()) + "}"


def members_of(part: Members) -> dict[int, list[tuple[str, str]]]:
    """Names and raw texts, in their order, by the number of the call."""
    if isinstance(part, OneByOne):
        each = [list(found.items()) for found in part.found]
    else:
        assert isinstance(part, InOrder)
        each = [
            [(name, raw[at]) for name, raw in part.raws.items() if raw[at] is not None]
            for at in range(len(part.rows))
        ]
    return dict(zip(part.rows, each, strict=True))


@settings(max_examples=500)
@given(st.lists(TEXTS | PAYLOADS | st.sampled_from(ODD), max_size=8) | ALIKE)
def test_c3_payloads_are_taken_apart_alike_together_and_one_by_one(texts: list[str]) -> None:
    parts, failed = taken_apart(pl.Series(texts, dtype=pl.String), few=1)
    found = {number: its for part in parts for number, its in members_of(part).items()}

    assert sorted([*found, *failed]) == list(range(len(texts)))
    for number, text in enumerate(texts):
        expected = one_by_one(text)
        if isinstance(expected, str):
            assert str(failed[number]) == expected
        else:
            assert found[number] == [
                (k, v.replace("\n", " ").replace("\r", " ")) for k, v in expected
            ]
    assert all(part.rows.is_sorted() for part in parts)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PAYLOADS, min_size=1, max_size=6),
    st.sampled_from(CALL_TYPES),
    st.sampled_from(FORMATS),
    st.sampled_from(["us", "ms"]),
)
def test_c3_rows_are_made_alike_together_and_one_by_one(
    payloads: list[str], kind: str, file_format: str, unit: str
) -> None:
    calls = pl.DataFrame(
        {"call_id": [f"c{n}" for n in range(len(payloads))], "received_at": 1_772_366_400_000_000}
    )

    def rows(few: int) -> list[Any]:
        parts, failed = taken_apart(pl.Series(payloads), few)
        assert not failed
        made = [
            (number, row)
            for part in parts
            for number, row in zip(
                part.rows,
                call_table(calls[part.rows], part, kind, file_format, unit).iter_rows(),
                strict=True,
            )
        ]
        return sorted(made, key=lambda pair: pair[0])

    assert rows(few=1) == rows(few=100)


def test_what_an_sdk_sends_is_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that are left out, spaces or none: but for a sample, nothing is read one by one."""
    payloads = [
        f'{{"type":"track","userId":"u{n}"'
        + (f',"anonymousId":"a{n}"' if n % 3 else "")
        + (',"event":"E"' if n % 5 else "")
        + ',"context":{"ip": "10.0.0.1"}}'
        for n in range(1000)
    ]
    payloads += [json.dumps(json.loads(text)) for text in payloads[:500]]
    asked: list[str] = []

    def fields(text: str) -> dict[str, str]:
        asked.append(text)
        return json_text.fields(text)

    monkeypatch.setattr(call_members, "fields", fields)
    parts, failed = taken_apart(pl.Series(payloads))

    assert not failed
    assert [type(part) for part in parts] == [InOrder, InOrder]
    assert sum(len(part.rows) for part in parts) == 1500
    assert len(asked) < 70


@settings(max_examples=1000)
@given(TEXTS | PAYLOADS | st.sampled_from(ODD))
def test_d24_what_is_taken_apart_quickly_is_what_json_says(text: str) -> None:
    quickly = json_text._quickly(text)

    assert quickly is None or list(quickly.items()) == one_by_one(text)


@pytest.mark.parametrize("text", ['{"a":1,"b":{"c":[1.50,"x"]}}', '{"a": "b", "c": null}', "{}"])
def test_what_most_sdks_write_is_taken_apart_quickly(text: str) -> None:
    assert json_text._quickly(text) is not None

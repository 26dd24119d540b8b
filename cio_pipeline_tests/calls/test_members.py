"""C3, D3: payloads are taken apart in two ways that agree to the last character."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.files.call_members import members_of
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
        return list(json_text._one_by_one(text).items())
    except NotJson as error:
        return str(error)


@settings(max_examples=500)
@given(st.lists(TEXTS | PAYLOADS | st.sampled_from(ODD), max_size=8))
def test_c3_payloads_are_taken_apart_alike_together_and_one_by_one(texts: list[str]) -> None:
    found = members_of(pl.Series(texts, dtype=pl.String))

    for number, text in enumerate(texts):
        rows = found.table.filter(row=number).select("name", "raw").rows()
        expected = one_by_one(text)
        if isinstance(expected, str):
            assert (str(found.failed[number]), rows) == (expected, [])
        else:
            expected = [(k, v.replace("\n", " ").replace("\r", " ")) for k, v in expected]
            assert number not in found.failed
            assert rows == expected
    assert found.table["row"].is_sorted()


@settings(max_examples=1000)
@given(TEXTS | PAYLOADS | st.sampled_from(ODD))
def test_d24_what_is_taken_apart_quickly_is_what_json_says(text: str) -> None:
    quickly = json_text._quickly(text)

    assert quickly is None or list(quickly.items()) == one_by_one(text)


@pytest.mark.parametrize("text", ['{"a":1,"b":{"c":[1.50,"x"]}}', '{"a": "b", "c": null}', "{}"])
def test_what_most_sdks_write_is_taken_apart_quickly(text: str) -> None:
    assert json_text._quickly(text) is not None

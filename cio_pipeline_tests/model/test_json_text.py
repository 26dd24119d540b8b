"""C3, M1: payloads as text, unchanged; what is no JSON is told apart and stops nothing."""

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.model.json_text import DEEPEST, NotJson, decoded, exact_text, fields

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 2]))
def test_the_fields_of_an_object_are_the_text_that_they_have_in_it(
    value: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=indent is None)
    found = fields(text)
    assert {key: json.loads(part) for key, part in found.items()} == value
    assert list(found) == list(value)
    assert all(part in text for part in found.values())


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_was_decoded_encodes_as_it_was(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert exact_text(decoded(text)) == text


@pytest.mark.parametrize(
    "number", ["1.10", "1E400", "-0", "0.1e-7", "12345678901234567890.5", "9" * 5000]
)
def test_numbers_keep_every_digit(number: str) -> None:
    assert exact_text(decoded(f'{{"a":[{number}]}}')) == f'{{"a":[{number}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":1',
        '{"a":1}}',
        '{"a" 1}',
        '{"a":1,}',
        '{"a":1 "b":2}',
        "{1:2}",
        "\ufeff{}",
        '{"a":01}',
        '{"a":"\n"}',
        "{'a':1}",
        '{"a":tru}',
        '{"a":1}x',
    ],
)
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson, match="no valid JSON"):
        fields(text)
    with pytest.raises(NotJson, match="no valid JSON"):
        decoded(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "no JSON object"),
        ('"a"', "no JSON object"),
        ('{"a":NaN}', "NaN or Infinity"),
        ('{"a":[-Infinity]}', "NaN or Infinity"),
        ('{"a":1,"a":2}', "stands twice"),
    ],
)
def test_what_cannot_be_taken_as_fields_is_told_apart(text: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        fields(text)


def test_objects_may_be_nested_deeply_but_not_without_end() -> None:
    deep = '{"a":' * 1000 + "1" + "}" * 1000
    assert fields(f'{{"d": {deep}}}') == {"d": deep}
    with pytest.raises(NotJson, match="nested deeper"):
        fields('{"a":' * DEEPEST + "1" + "}" * DEEPEST)


@pytest.mark.parametrize("levels", [DEEPEST - 1000, DEEPEST + 1])
@pytest.mark.parametrize("read", [decoded, fields])
def test_what_cleans_up_is_not_called_where_it_has_no_room(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], Any], levels: int
) -> None:
    """Garbage is collected wherever something is made: at the last level, closing a file failed."""
    failed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: failed.append(told.exc_type))

    def cleaned(_phase: str, _told: object, calls: int = 12) -> None:
        if calls:
            cleaned("", None, calls - 1)

    often = gc.get_threshold()
    gc.callbacks.append(cleaned)
    # As often as can be, so that it would come at the last levels, too.
    gc.set_threshold(1, 10**6, 10**6)
    try:
        read('{"b":{},"a":' * levels + "1" + "}" * levels)
    except NotJson:
        assert levels > DEEPEST
    finally:
        gc.set_threshold(*often)
        gc.callbacks.remove(cleaned)
    assert failed == []
    assert gc.isenabled()

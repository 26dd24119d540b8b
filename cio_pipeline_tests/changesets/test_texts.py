"""D24: what Polars' quick parser takes and what the reader of all feeds takes are one."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.changesets.texts import json_object, json_to_text
from cio_pipeline.files.message_objects import NoObject, check_message
from cio_pipeline.model.json_text import NotJson, decoded, fields
from cio_pipeline.model.messages import Message

NUMBERS = ["0", "-0", "1.10", "1E400", "-1e-999", "9" * 400, "01", "+1", ".5", "1.", "NaN"]
ATOMS = st.sampled_from([*NUMBERS, "null", "true", "nul", "", '"\\ud83d"', '"\\u0000"', '"\\x"'])
SPACES = st.sampled_from(["", " ", "\n\t\r", "\x0b", "\ufeff"])
JSON = st.recursive(
    ATOMS | st.text(max_size=6).map(json.dumps) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', "c"]), inner), max_size=3).map(
            lambda parts: "{" + ",".join(f"{k}:{v}" for k, v in parts) + "}"
        )
    ),
    max_leaves=6,
)
TEXTS = st.tuples(SPACES, JSON, SPACES).map("".join)


def read(found: tuple[pl.Expr, pl.Expr], texts: list[str | None]) -> list[Any]:
    value, problem = found
    frame = pl.LazyFrame({"t": texts}, schema={"t": pl.String()})
    return frame.select(value.alias("v"), problem.alias("p")).collect(engine="streaming").rows()


def as_read_alone(text: str | None, *, only_objects: bool) -> tuple[str | None, bool]:
    """What is sent, and whether there is a problem, by the reader of all feeds alone."""
    if text is None:
        return None, False
    try:
        value = decoded(text)
    except NotJson:
        return None, True
    if only_objects:
        return (text, False) if isinstance(value, dict) else (None, True)
    if not isinstance(value, str):
        return text, False
    return (None, True) if any("\ud800" <= one <= "\udfff" for one in value) else (value, False)


@given(st.lists(st.none() | TEXTS, min_size=1, max_size=8), st.booleans())
def test_d24_the_quick_parser_changes_nothing(
    texts: list[str | None],
    only_objects: bool,  # noqa: FBT001 - given
) -> None:
    texts = [None if text is None else text.encode(errors="replace").decode() for text in texts]
    made = (json_object if only_objects else json_to_text)("t")

    found = [(value, problem is not None) for value, problem in read(made, texts)]

    assert found == [as_read_alone(text, only_objects=only_objects) for text in texts]


@pytest.mark.parametrize(
    "text", ['{"a":[1e400]}', '{"a":' * 9_000 + "1" + "}" * 9_000, '{"a":' + "9" * 5_000 + "}"]
)
def test_d24_a_text_is_json_for_every_feed(text: str) -> None:
    assert read(json_object("t"), [text]) == read(json_to_text("t"), [text]) == [(text, None)]
    assert list(fields(text)) == ["a"]
    message = Message({"event-id": "m", "timestamp": "2026-03-01T12:00:00Z"}, text)
    assert check_message(message).data


@pytest.mark.parametrize(
    "text", ['{"a":NaN}', '{"a":' * 10_001 + "1" + "}" * 10_001, '{"a":01}', "[1]"]
)
def test_d24_a_text_that_is_none_is_none_for_every_feed_and_for_the_same_cause(text: str) -> None:
    ((_, problem),) = read(json_object("t"), [text])
    with pytest.raises(NotJson) as raised:
        fields(text)
    assert str(raised.value) == problem
    message = Message({"event-id": "m", "timestamp": "2026-03-01T12:00:00Z"}, text)
    with pytest.raises(NoObject, match=problem.replace("{", r"\{")):
        check_message(message)


def test_deep_texts_are_read_in_any_thread() -> None:
    """Polars' threads have small stacks: running out of one ends the process."""
    deep = "[" * 9_000 + "]" * 9_000

    assert read(json_to_text("t"), [deep] * 50) == [(deep, None)] * 50

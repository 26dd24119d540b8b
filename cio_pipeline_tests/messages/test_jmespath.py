"""M2: all of JMESPath is allowed: what it evaluates is evaluated, what it refuses has its place.

Cases of our own, of every kind of syntax; `D` is the payload of all of them.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE, SAMPLES
from cio_pipeline.files import message_keys
from cio_pipeline.files.message_keys import NoKey, compile_template
from cio_pipeline.files.message_time import time_context
from cio_pipeline.files.template_check import check_template
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import decoded

# jmespath still takes a literal without quotes for a text, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

READ, _ = SAMPLES["read"]
D: dict[str, Any] = {
    "word": "kiwi",
    "zero": 0,
    "yes": True,
    "none": None,
    "empty": "",
    "abc": ["a", "b", "c", "d", "e"],
    "nums": [3, 1.5, 20],
    "mixed": [1, "one", None, True, [2], {"k": 3}],
    "rows": [
        {"kind": "x", "rank": 2, "tags": ["p", "q"]},
        {"kind": "y", "rank": 1, "tags": ["r"]},
        {"kind": "x", "rank": "high", "tags": []},
    ],
    "by": {"first": {"id": "i1"}, "second": {"id": "i2"}},
    "odd name": "spaced",
}


def key(template: str) -> str:
    check_template(template)
    context = time_context(READ["timestamp"])
    return compile_template(template).render(READ, context, decoded(json.dumps(D)))


JOINED = {
    # slices, of every shape
    "data.abc[1:3]": "b c",
    "data.abc[:2]": "a b",
    "data.abc[3:]": "d e",
    "data.abc[:]": "a b c d e",
    "data.abc[::2]": "a c e",
    "data.abc[::-1]": "e d c b a",
    "data.abc[-2:]": "d e",
    "data.abc[4:1:-2]": "e c",
    "data.abc[0:99]": "a b c d e",
    "data.abc[9:]": "",
    "data.rows[:2].kind": "x y",
    "data.rows[::-1].tags[0]": "r p",
    "data.rows[].tags[1:][]": "q",
    "data.abc[1:][1:]": "",
    # projections, flattening, wildcards, filters
    "data.rows[*].kind": "x y x",
    "data.rows[].tags[]": "p q r",
    "data.by.*.id": "i1 i2",
    "data.rows[?kind=='x'].tags | [0]": "p q",
    "data.rows[?rank > `1`].kind": "x",
    "data.rows[?rank < `9` || kind == 'x'].kind": "x y x",
    "data.rows[?!(kind == 'x')].kind": "y",
    "data.mixed[?@ > `0`] | [*].to_string(@)": "1",
    "data.mixed[?@ < 'zz']": "one",
    "data.nums[?@ >= `3`] | map(&to_string(@), @)": "3 20",
    # multiselects
    "data.{a: word, b: yes && word}.[a, b]": "kiwi kiwi",
    "[data, metadata] | [0].abc[:1]": "a",
    "data.rows[*].[kind, kind][]": "x x y y x x",
    # functions that give lists
    "sort(data.abc[::-1])": "a b c d e",
    "sort_by(data.rows[:2], &rank)[].kind": "y x",
    "reverse(data.abc[:2])": "b a",
    "map(&kind, data.rows)": "x y x",
    "keys(data.by) | sort(@)": "first second",
    "values(data.by)[].id | sort(@)": "i1 i2",
    "to_array(data.word)": "kiwi",
}

VALUES = {
    "metadata.{a: objectName}.a": "invoices",
    "metadata | objectName": "invoices",
    "metadata.{a: objectName} | a": "invoices",
    "{m: metadata, t: time}.m.objectName": "invoices",
    "{m: @}.m.metadata.objectName": "invoices",
    "{d: data.word, o: metadata.objectName}.join('-', [o, d])": "invoices-kiwi",
    "(metadata || time).objectName": "invoices",
    "(data.none || metadata).objectName": "invoices",
    "@.metadata.objectName": "invoices",
    "[metadata.objectName][0]": "invoices",
    "[metadata.objectName, data.word] | [-1]": "kiwi",
    "metadata.*|sort(@)|[?@=='invoices']|[0]": "invoices",
    'data."odd name"': "spaced",
    "data.by.first.id": "i1",
    "data.by.[first, second][1].id": "i2",
    "data.rows[-1].kind": "x",
    "data.word > `1` || 'null'": "null",
    "data.word < `1` && 'less' || 'none'": "none",
    "data.none < `1` || 'null'": "null",
    "data.yes >= `1` || 'null'": "null",
    "data.abc > data.abc || 'null'": "null",
    "data.nums[0] < 'a' || 'null'": "null",
    "(data.word < 'zoo') && 'text'": "text",
    "(data.word == `1`) && 'same' || 'other'": "other",
    "(data.yes == `1`) && 'same' || 'other'": "other",
    "(data.nums[1] == `1.50`) && 'same'": "same",
    "!(data.none) && 'not'": "not",
    "data.zero && 'true'": "true",
    "data.empty || 'empty'": "empty",
    '`"literal"`': "literal",
    '`{"a": ["x"]}`.a[0]': "x",
    "'raw \\'quoted\\''": "raw 'quoted'",
    "max_by(data.rows[:2], &rank).kind": "x",
    "min_by(data.rows[:2], &rank).kind": "y",
    "to_string(length(data.abc))": "5",
    "to_string(sum(data.nums))": "24.5",
    "to_string(abs(`-3`))": "3",
    "to_string(ceil(data.nums[1]))": "2",
    "to_string(avg(`[1, 2]`))": "1.5",
    "to_string(contains(data.abc, 'b'))": "true",
    "to_string(data.abc[:2])": '["a","b"]',
    "type(data.nums)": "array",
    "not_null(data.none, data.word)": "kiwi",
    'merge(data.by, `{"third": {"id": "i3"}}`).third.id': "i3",
    "join('', data.abc[1:3])": "bc",
    "starts_with(data.word, 'ki') && ends_with(data.word, 'wi') && 'both'": "both",
    "min(data.abc)": "a",
    "to_string(to_number('12'))": "12",
}


@pytest.mark.parametrize("template", JOINED)
def test_m2_templates_that_give_lists(template: str) -> None:
    assert key(f"join('', ['=', join(' ', {template} || `[]`), '='])") == f"={JOINED[template]}="


@pytest.mark.parametrize("template", VALUES)
def test_m2_templates_that_give_texts(template: str) -> None:
    assert key(template) == VALUES[template]


@pytest.mark.parametrize(
    ("template", "place", "what"),
    [
        ("", 0, "empty"),
        (" ", 0, "empty"),
        ("metadata.", 10, "ends too early"),
        ("join('/', [metadata.objectName", 31, "ends too early"),
        ("metadata.event-id", 15, "'-id'|'-'"),
        ("metadata..objectName", 10, r"'\.' does not fit"),
        (".objectName", 1, r"'\.' does not fit"),
        ("metadata.1", 10, "'1' does not fit"),
        ("metadata]", 9, "'\\]' does not fit"),
        ("data[abc]", 6, "'abc' does not fit"),
        ("data[0, 1]", 7, "',' does not fit"),
        ("data[1:2:3:4]", 11, "':' does not fit"),
        ("data[?a==b?]", 11, "'\\?'"),
        ("data[#]", 6, "'#'"),
        ("metadata = time", 10, "'='"),
        ("'open", 1, "quote"),
        ('metadata."open', 10, "quote"),
        ('`["a`', 1, "literal"),
        ('"\\u"', 1, "escape"),
        ("data.{a}", 8, "'}' does not fit"),
        ('"join"(time.date)', 1, "function"),
        ("@(time)", 1, "function"),
        ("upper(time.date)", 1, r"upper\(\)"),
        ("join('/', [lower(time.date)])", 12, r"lower\(\)"),
        ("join('/')", 1, r"Expected 2 arguments for join\(\)"),
        ("data.a || join('/')", 11, r"Expected 2 arguments for join\(\)"),
        ("data.a || not_null()", 11, r"Expected at least 1 argument for not_null\(\)"),
        ("data.rows[*].to_string()", 14, r"Expected 1 argument for to_string\(\)"),
    ],
)
def test_m2_what_jmespath_refuses_is_refused_with_its_place(
    template: str, place: int, what: str
) -> None:
    with pytest.raises(InvalidConfig, match=what) as raised:
        check_template(template)
    if place:
        assert f"at character {place}" in raised.value.message
    assert "\n" not in str(raised.value)
    assert "lex" not in str(raised.value).lower()


@pytest.mark.parametrize(
    "template", ["data.abc[::0]", "data.abc[0:1:0] | [0]", "data.rows[*].tags[::0]"]
)
def test_m2_a_slice_that_goes_nowhere_is_an_error_of_the_message(template: str) -> None:
    with pytest.raises(NoKey):
        key(template)


@pytest.mark.parametrize(
    "template",
    ["metadata | objectname", "@.metadata.objectname", "metadata.{a: objectname}.a", "time | days"],
)
def test_m2_unknown_names_are_found_wherever_they_are_read(template: str) -> None:
    with pytest.raises(InvalidConfig, match="Did you mean"):
        check_template(template)


_WORDS = st.sampled_from(
    [
        *("metadata", "time", "data", "objectName", "date", "@", "*", "a", "rows", '"event-id"'),
        *("[", "]", "[?", "[]", "{", "}", "(", ")", ".", ",", ":", "|", "||", "&&", "!", "&"),
        *("==", "!=", "<", ">=", "`1`", '`[1, "a"]`', "'x'", "0", "-1", "::", "1:2"),
        *("join(", "map(&", "sort_by(", "to_string(", "max(", "contains(", "length(", "not_null("),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_WORDS, min_size=1, max_size=12))
def test_m2_any_text_is_refused_or_gives_a_key_or_a_reason(words: list[str]) -> None:
    for template in ("".join(words), " ".join(words)):
        try:
            check_template(template)
            assert key(template)
        except (InvalidConfig, NoKey):
            continue


FIELDS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text())
CONTEXTS = st.fixed_dictionaries(
    {
        part: st.dictionaries(st.sampled_from(["a", "b-c", "data"]), FIELDS)
        for part in ("metadata", "time", "data")
    }
)


@settings(max_examples=300)
@given(CONTEXTS, st.sampled_from(["", "/", "ab"]))
@pytest.mark.parametrize(
    "parts",
    ["metadata.a, '_', time.\"b-c\"", "data.a", "'x', ''", "data.data, other.a, `1`", "metadata"],
)
def test_m2_what_most_templates_join_is_what_jmespath_joins(
    parts: str, context: dict[str, dict[str, Any]], separator: str
) -> None:
    template = compile_template(f"join('{separator}', [{parts}])")

    quickly = template._quickly(context)

    if quickly is not None:
        assert quickly == template._value(context)
    assert template.reads_time == ("time" in parts or template._joined is None)


def test_m2_the_key_of_most_templates_needs_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_keys, "_INTERPRETER", None)
    times = time_context(READ["timestamp"])
    for template, expected in {
        DEFAULT_KEY_TEMPLATE: f"{READ['timestamp']}_{READ['event-id']}.json",
        "join('/', ['x', time.date, data.word])": f"x/{times['date']}/kiwi",
    }.items():
        assert compile_template(template).render(READ, times, D) == expected

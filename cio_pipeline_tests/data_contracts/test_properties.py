"""Random contracts on random rows do what the plain reference does (16.2, O1, O2)."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cio_pipeline.conforming.agreeing import contradictions, keys_of
from cio_pipeline.conforming.columns import InForce, hidden
from cio_pipeline.conforming.properties import problems
from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS, exports_of
from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.model.changeset import SERIES
from cio_pipeline.model.data_contract import DataContract, EventTerms, ExportTerms
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.sync import Sync
from cio_pipeline_tests.changesets.rows import Row, changeset
from cio_pipeline_tests.data_contracts.reference import breaks, breaks_event, declared, shown

SALT = b"pepper"
NAMES = ["Checkout Started", "checkout_started", "CHECKOUT-STARTED", "Order", "order", "??", "Ö"]
PROPERTIES = ["a", "b", 'q"', "^a$", "é\\"]
KINDS = ["string", "integer", "number", "boolean", "object", "array"]
KINDS += ["date", "iso8601", "rfc3339", "unix", "unix_ms"]
TEXTS = [
    *(
        '"x"',
        '""',
        '"a\\u0062"',
        '"\\ud83d"',
        "null",
        "true",
        "{}",
        '{"a":1}',
        "[]",
        '"1700000000"',
    ),
    *(
        "1",
        "-0",
        "1.0",
        "1e9",
        "1700000000",
        "1700000000000",
        "99999999",
        "1e400",
        "9007199254740993",
    ),
    *('"2026-02-28"', '"2026-02-30"', '"0000-01-01"', '"2026\\u002d02-28"', '"2026-02-28\\n"'),
    *('"2026-02-28T10:00:00Z"', '"2026-02-28 10:00"', '"2026-02-28T10:00:60Z"', '"٢٠٢٦-02-28"'),
    *('"2026-02-28T24:00:00Z"', '"2026-02-28T10:00:00.123+23:59"', '"2026-02-28T10:00:00+24:00"'),
]

DEEP = "[" * 5000 + "]" * 5000

names = st.sampled_from(NAMES)
properties = st.sampled_from(PROPERTIES)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """JSON objects; a property may stand twice, with spaces anywhere."""
    pairs = draw(st.lists(st.tuples(properties, st.sampled_from(TEXTS)), max_size=4))
    comma = draw(st.sampled_from([",", " ,\n"]))
    return "{" + comma.join(f" {json.dumps(name)} : {text}" for name, text in pairs) + " }"


events = st.fixed_dictionaries(
    {
        "name": names,
        "type": st.sampled_from(["event", "event", "page"]),
        "properties": st.one_of(objects(), st.none()),
        "sources": st.sampled_from([None, [], ["web"]]),
    }
)
event_terms = st.fixed_dictionaries(
    {
        "spellings": st.lists(st.sampled_from(["checkoutStarted", "order"]), max_size=1),
        "required": st.lists(properties, max_size=2, unique=True),
        "properties": st.dictionaries(properties, st.sampled_from(KINDS), max_size=3),
        "other_properties": st.sampled_from(["send", "send", "quarantine"]),
    }
)


def without_clash(found: dict[str, Any]) -> bool:
    try:
        ExportTerms.model_validate(found)
    except ValueError:
        return False
    return True


terms_of_events = st.fixed_dictionaries(
    {
        "required": st.sampled_from([[], ["sources"]]),
        "leave_out": st.sampled_from([[], ["data"], ["sources", "processed_at"]]),
        "mask": st.sampled_from([[], ["name"]]),
        "events": st.dictionaries(names, event_terms, min_size=1, max_size=3),
        "normalise": st.booleans(),
        "other_events": st.sampled_from(["send", "quarantine"]),
    }
).filter(without_clash)


def empties(export: Export, version: int = 5) -> dict[str, Any]:
    nothing: dict[ColumnType, Any] = {
        ColumnType.STRING: "",
        ColumnType.STRINGS: [],
        ColumnType.INTEGER: 0,
        ColumnType.BOOLEAN: False,
        ColumnType.TIMESTAMP: datetime(1970, 1, 1, tzinfo=UTC),
    }
    columns = export.columns_of(version)
    found = {c.name: nothing[c.type] if c.required else None for c in columns}
    return found | ({"data": "{}"} if "data" in found else {})


def compare(export: str, terms: ExportTerms, *rows: Row, mode: Mode = Mode.INITIAL) -> None:
    """What is made of rows under terms is what the reference makes of those without."""
    plain = changeset(export, *rows, mode=mode)
    held = changeset(export, *rows, mode=mode, terms=InForce(terms, SALT))
    before = plain.rows.collect().to_dicts()
    renamed = [
        row | {"name": declared(terms, row["name"])} if row.get("type") == "event" else row
        for row in before
    ]
    kept = [row for row in renamed if not breaks(terms, row)]
    found = held.rows.collect(engine="streaming")
    rejected = held.rejected.collect(engine="streaming")
    assert found.to_dicts() == [shown(terms, SALT, row, empties(EXPORTS[export])) for row in kept]
    assert found.schema == plain.rows.collect_schema()
    assert rejected["count"].sum() == len(before) - len(kept)
    assert held.total() == len(before)


@settings(max_examples=120, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(events, max_size=6), terms_of_events)
def test_o1_o2_events_are_held_to_any_contract(
    rows: list[dict[str, Any]], terms: dict[str, Any]
) -> None:
    numbered = [{"workspace_id": 1, "event_id": f"{at}", **row} for at, row in enumerate(rows)]
    compare("events", ExportTerms.model_validate(terms), *numbered)


texts = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "a", "true", "False", "a@b", "a@b.c", "ab@c@d.e-f", "@", "x@", "ab@c.d\n"]
    ),
    st.text(max_size=8),
)
ways = st.lists(st.sampled_from(["customer_id", "email_addr"]), unique=True)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(texts, texts, st.booleans(), st.booleans()), max_size=5),
    ways,
    ways,
    st.sampled_from(["leave_out", "hash", "mask"]),
)
def test_people_are_hidden_and_required_as_the_reference_says(
    rows: list[tuple[str | None, str | None, bool, bool]],
    required: list[str],
    hidden: list[str],
    way: str,
) -> None:
    people = [
        {"workspace_id": 1, "internal_customer_id": f"{at}", "id": id_, "email": email}
        | {"deleted": deleted, "suppressed": suppressed}
        for at, (id_, email, deleted, suppressed) in enumerate(rows)
    ]
    terms = ExportTerms.model_validate({"required": required, way: hidden})
    for mode in (Mode.INITIAL, Mode.CHANGES):
        compare("people", terms, *people, mode=mode)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), texts), max_size=6),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["leave_out", "hash", "mask"])),
)
def test_values_of_attributes_are_hidden_by_name(
    rows: list[tuple[str, str | None]], values: dict[str, str]
) -> None:
    attributes = [
        {"workspace_id": 1, "internal_customer_id": f"{at}", "attribute_name": name}
        | {"attribute_value": None if value is None else json.dumps(value)}
        for at, (name, value) in enumerate(rows)
    ]
    terms = ExportTerms.model_validate({"values": values, "required": ["attribute_value"]})
    compare("attributes", terms, *attributes, mode=Mode.CHANGES)


def hideable(export: Export, version: int) -> list[Column]:
    sync = Sync.model_validate(
        {"id": "a", "workspace_id": 1, "version": version}
        | {"destination": {"type": "local", "path": "x"}}
    )

    def fine(column: Column) -> bool:
        one = DataContract(exports={export.name: ExportTerms(leave_out=(column.name,))})
        return not list(contradictions(one, sync))

    return [column for column in export.columns_of(version) if fine(column)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", EXPORTS)
def test_d2_columns_that_are_left_out_stay_in_the_schema(name: str, version: int) -> None:
    export = EXPORTS[name]
    if export not in exports_of(version):
        return
    hidden = hideable(export, version)
    kept = {column.name for column in export.columns_of(version)} - {c.name for c in hidden}
    assert keys_of(export) & {c.name for c in export.columns_of(version)} <= kept
    terms = InForce(ExportTerms(leave_out=tuple(column.name for column in hidden)))
    row = {"workspace_id": 1, "attribute_value": '"x"', "properties": '{"a":1}'}
    made = changeset(name, row, version=version, terms=terms).rows.collect()
    assert made.drop(SERIES).schema == polars_schema(export, version)
    empty = empties(export, version)
    assert [made[column.name].to_list() for column in hidden] == [[empty[c.name]] for c in hidden]
    nulls = made.select(pl.all().null_count()).row(0, named=True)
    assert not any(nulls[c.name] for c in export.columns_of(version) if c.required)


@pytest.mark.parametrize("closed", ["send", "quarantine"])
@pytest.mark.parametrize("name", PROPERTIES)
def test_each_text_is_of_each_type_as_the_reference_says(name: str, closed: str) -> None:
    values = [f"{json.dumps(name)}: {text}" for text in TEXTS]
    objects = [f"{{{one}}}" for one in values]
    objects += [f'{{{one}, "other": 1}}' for one in values]
    objects += ["{}", '{"other":"\\ud83d"}', f'{{{values[0]},"other":"\\ud83d"}}']
    for kind in KINDS:
        one = {"required": [name], "properties": {name: kind}, "other_properties": closed}
        terms = EventTerms.model_validate(one)
        found = problems(terms, "E", "data", pl.Series(objects)).is_not_null().to_list()
        assert found == [breaks_event(terms, text) for text in objects]


def test_an_object_that_is_nested_very_deeply_is_read_like_any_other() -> None:
    deep = f'{{"a":1,"b":{DEEP}}}'
    rows = [
        {"workspace_id": 1, "event_id": "1", "name": "Order", "properties": deep},
        {"workspace_id": 1, "event_id": "2", "name": "Order", "properties": '{"a":"x","b":[]}'},
    ]
    event = {"properties": {"a": "integer", "b": "array"}, "other_properties": "quarantine"}
    terms = ExportTerms.model_validate({"events": {"Order": event}})
    made = changeset("events", *rows, terms=InForce(terms))
    assert made.rows.collect()["event_id"].to_list() == ["1"]
    assert made.rejected.collect()["identity"].to_list() == ['["2"]']


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"a" : 1.10, "phone":"+43 1", "b":[ 1 ]}', '{"a":1.10,"phone":"+***","b":[ 1 ]}'),
        ('{"ph\\u006fne": "+43 1"}', '{"phone":"+***"}'),
        ('{"phone":"+43","phone":"12345"}', '{"phone":"1***"}'),
        ('{"phone": 12345, "deep": {"phone": "x"}}', '{"phone":"1***","deep":{"phone": "x"}}'),
        ('{"phone": ["+43"]}', '{"phone":"***"}'),
        ('{"phone":"ask ann@x.example"}', '{"phone":"a***@x.example"}'),
        ('{"phone":"ask @ann, +43 1"}', '{"phone":"a***"}'),
        ('{"phone":"https://x.example/@ann/1"}', '{"phone":"h***"}'),
        ('{"phone": null}', '{"phone":null}'),
        ('{"phone": true}', '{"phone":"***"}'),
        ('{"phone": false}', '{"phone":"***"}'),
        ('{"phone": "False"}', '{"phone":"***"}'),
        ('{"phone": ""}', '{"phone":""}'),
        ('{"phone": "\\ud83d12"}', '{"phone":"?***"}'),
        ('{"secret": 1, "a": 2}', '{"a":2}'),
        ('{"a" : "phones"}', '{"a":"phones"}'),
        ('{ "a" : "b" }', '{ "a" : "b" }'),
        ('{"phone":"1","phone":"","a":{"b":1,"b":2}}', '{"phone":"","a":{"b":1,"b":2}}'),
        (
            f'{{"phone":"1","phone":"234","deep":{DEEP}}}',
            f'{{"phone":"2***","deep":{DEEP}}}',
        ),
        ('["phone"]', "{}"),
    ],
)
def test_d4_single_properties_of_events_are_hidden_and_nothing_else(text: str, sent: str) -> None:
    terms = ExportTerms.model_validate({"values": {"phone": "mask", "secret": "leave_out"}})
    columns = EXPORTS["events"].columns_of(5)
    (hides,) = hidden(InForce(terms), columns, polars_schema(EXPORTS["events"], 5))
    frame = pl.DataFrame({"data": [text, None, "{}"]})
    assert frame.lazy().select(hides).collect()["data"].to_list() == [sent, None, "{}"]


def test_d4_a_hashed_property_is_hashed_as_a_column_is() -> None:
    terms = ExportTerms.model_validate({"values": {"phone": "hash"}})
    columns = EXPORTS["events"].columns_of(5)
    (hides,) = hidden(InForce(terms, b"salt"), columns, polars_schema(EXPORTS["events"], 5))
    (sent,) = pl.DataFrame({"data": ['{"phone":"+43 1"}']}).select(hides)["data"]
    assert json.loads(sent) == {"phone": sha256(b"salt+43 1").hexdigest()}

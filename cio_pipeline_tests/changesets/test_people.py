from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS, VERSIONS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import CHANGE, CHANGED, COMMITTED_AT, DELETED, NEW, SERIES
from cio_pipeline.model.plans import Mode
from cio_pipeline_tests.changesets.rows import NOON, Row, held_back, hours, sent, snapshot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIER = NOON - hours(5)
MICROSECOND = timedelta(microseconds=1)

STATES: dict[str, Row] = {
    "current": {"internal_customer_id": "current"},
    "deleted": {"internal_customer_id": "deleted", "deleted": True},
    "suppressed": {"internal_customer_id": "suppressed", "suppressed": True},
}


def test_d1_initial_people_are_current_and_plain() -> None:
    rows = sent("people", *STATES.values(), mode=Mode.INITIAL)

    assert rows.select("internal_customer_id", SERIES).rows() == [("current", "plain")]


@pytest.mark.parametrize("mode", [Mode.CHANGES, Mode.CATCH_UP])
@pytest.mark.parametrize("change", [NEW, CHANGED, DELETED])
def test_d1_only_new_current_people_are_plain(mode: Mode, change: str) -> None:
    rows = sent("people", *({**row, CHANGE: change} for row in STATES.values()), mode=mode)

    assert rows.select("internal_customer_id", SERIES).rows() == [
        ("current", "plain" if change == NEW else "chngs"),
        ("deleted", "chngs"),
        ("suppressed", "chngs"),
    ]


def test_d1_retried_people_are_plain_if_current() -> None:
    rows = sent("people", *STATES.values(), mode=Mode.RETRY)

    assert rows[SERIES].to_list() == ["plain", "chngs", "chngs"]


@pytest.mark.parametrize("export", ["objects", "object_types"])
def test_d1_objects_are_split_like_people(export: str) -> None:
    key = "object_type_id" if export == "object_types" else "internal_object_id"
    ids = [1, 2, 3, 4] if export == "object_types" else ["1", "2", "3", "4"]
    rows: list[Row] = [
        {key: ids[0], CHANGE: NEW},
        {key: ids[1], CHANGE: NEW, "deleted": True},
        {key: ids[2], CHANGE: CHANGED},
        {key: ids[3], CHANGE: DELETED},
    ]

    later = sent(export, *rows)
    initial = sent(
        export,
        *({key: row[key], "deleted": row.get("deleted", False)} for row in rows),
        mode=Mode.INITIAL,
    )

    assert later.select(SERIES, "deleted").rows() == [
        ("plain", False),
        ("chngs", True),
        ("chngs", False),
        ("chngs", True),
    ]
    assert initial.select(key, SERIES, "deleted").rows() == [
        (ids[number], "plain", False) for number in (0, 2, 3)
    ]


@pytest.mark.parametrize("export", ["people", "objects", "object_types"])
@pytest.mark.parametrize(
    ("unit", "committed_at", "expected"),
    [
        ("us", NOON + hours(1), NOON + hours(1)),
        ("us", NOON, NOON + MICROSECOND),
        ("us", EARLIER, NOON + MICROSECOND),
        ("ms", EARLIER, NOON + 1000 * MICROSECOND),
    ],
)
def test_d1_a_hard_delete_is_one_newer_deleted_row(
    export: str, unit: str, committed_at: datetime, expected: datetime
) -> None:
    gone = {CHANGE: DELETED, COMMITTED_AT: committed_at, "updated_at": NOON}

    rows = sent(export, gone, unit=unit)

    assert rows.select("deleted", "updated_at", SERIES).rows() == [(True, expected, "chngs")]


@pytest.mark.parametrize("export", ["deliveries", "subjects", "outputs", "attributes", "events"])
def test_d1_hard_deletes_elsewhere_are_not_sent(export: str) -> None:
    row = {CHANGE: DELETED}

    assert sent(export, row).is_empty()
    assert held_back(export, row) == []


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"id": "1", "email": "a@x.example"}, "1"),
        ({"id": None, "email": "a@x.example"}, "a@x.example"),
        ({"id": "", "email": "a@x.example"}, "a@x.example"),
        ({"id": None, "email": None}, ""),
    ],
)
def test_d3_customer_id_is_the_id_else_the_email_else_empty(person: Row, expected: str) -> None:
    rows = sent("people", person)

    assert rows.select("customer_id", "email_addr").rows() == [(expected, person["email"])]


def test_d3_flags_are_written_as_false() -> None:
    assert sent("people", {}).select("deleted", "suppressed").rows() == [(False, False)]


NEEDED = [
    ("people", "deleted"),
    ("people", "suppressed"),
    ("objects", "deleted"),
    ("object_types", "deleted"),
    ("object_types", "enabled"),
    ("inbound", "optout"),
    ("metrics", "channel"),
]


@pytest.mark.parametrize(("export", "column"), NEEDED)
@pytest.mark.parametrize("mode", [Mode.INITIAL, Mode.CHANGES, Mode.RETRY])
@pytest.mark.parametrize("version", VERSIONS)
def test_d3_a_null_that_would_have_to_be_guessed_is_held_back(
    export: str, column: str, mode: Mode, version: int
) -> None:
    good, bad = {"updated_at": NOON}, {"updated_at": EARLIER, column: None}

    held = held_back(export, *_known(export, good, bad), mode=mode, version=version)

    assert [row[2] for row in held] == [f"{column} is required and null"]
    assert sent(export, *_known(export, good, bad), mode=mode, version=version).height == 1


def _known(export: str, *rows: Row) -> list[Row]:
    """The rows without what their table does not have."""
    names = {column.name for column in SOURCE_TABLES[EXPORTS[export].source].columns}
    return [{name: value for name, value in row.items() if name in names} for row in rows]


@pytest.mark.parametrize("export", ["people", "objects", "object_types"])
def test_d3_a_row_that_is_gone_is_told_whatever_it_said(export: str) -> None:
    flags = {"deleted": None, "suppressed": None} if export == "people" else {"deleted": None}

    rows = sent(export, {CHANGE: DELETED, COMMITTED_AT: NOON, **flags})

    assert rows["deleted"].to_list() == [True]
    assert export != "people" or rows["suppressed"].to_list() == [False]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, EARLIER),
        ({"deleted": True}, EPOCH),
        ({"suppressed": True}, EPOCH),
        ({"suppressed": True, "added_at": None}, EPOCH),
        ({CHANGE: DELETED}, EPOCH),
    ],
)
def test_d3_v5_created_at_is_when_added_and_epoch_0_for_gone_people(
    row: Row, expected: datetime
) -> None:
    rows = sent("people", {"added_at": EARLIER, **row})

    assert rows["created_at"].to_list() == [expected]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": "1", "id_changed_at": EARLIER}, EARLIER),
        ({"id": "1", "id_changed_at": None}, NOON),
        ({"id": None, "id_changed_at": EARLIER}, NOON),
        ({"id": "1", "id_changed_at": EARLIER, "deleted": True}, EARLIER),
        ({"id": None, CHANGE: DELETED}, NOON),
    ],
)
def test_d3_v4_created_at_is_the_last_change_of_id_else_of_the_profile(
    row: Row, expected: datetime
) -> None:
    assert sent("people", row, version=4)["created_at"].to_list() == [expected]


VALUES: dict[str | None, str | None] = {
    '"plain"': "plain",
    ' "spaced" ': "spaced",
    '"a \\"quote\\" \\u00e9 \\n"': 'a "quote" é \n',
    '""': "",
    '"null"': "null",
    "9007199254740993": "9007199254740993",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "1.10": "1.10",
    "-0": "-0",
    "1e400": "1e400",
    "[1e400]": "[1e400]",
    '{"a":[-1E+999]}': '{"a":[-1E+999]}',
    '{"a":"\\ud83d"}': '{"a":"\\ud83d"}',
    " null ": " null ",
    "[" * 128 + "]" * 128: "[" * 128 + "]" * 128,
    '{"a":' * 9_000 + "1" + "}" * 9_000: '{"a":' * 9_000 + "1" + "}" * 9_000,
    "9" * 5_000: "9" * 5_000,
    "true": "true",
    "null": "null",
    '{"b": 1.0, "a": 9007199254740993}': '{"b": 1.0, "a": 9007199254740993}',
    '{"a":1,"a":2}': '{"a":1,"a":2}',
    "[1, 2]": "[1, 2]",
    None: "",
}


@pytest.mark.parametrize("export", ["attributes", "object_attributes"])
@pytest.mark.parametrize("source", VALUES, ids=lambda text: str(text)[:20])
def test_d3_attribute_values(export: str, source: str | None) -> None:
    assert sent(export, {"attribute_value": source})["attribute_value"].to_list() == [
        VALUES[source]
    ]


@pytest.mark.parametrize("export", ["attributes", "object_attributes"])
@pytest.mark.parametrize(
    ("source", "why"),
    [
        *(
            (text, "is no valid JSON")
            for text in ("", " ", "plain", '"open', "01", "[1,]", "{a: 1}")
        ),
        ('{"a":1} x', "is no valid JSON"),
        ("[" * 128, "is no valid JSON"),
        ("NaN", "holds NaN or Infinity, which is no JSON"),
        ('{"a":[-Infinity]}', "holds NaN or Infinity, which is no JSON"),
        ("[" * 10_001 + "]" * 10_001, "is nested deeper than 10,000 levels"),
        ('"\\ud800"', "has half of a surrogate pair, which no text can hold"),
    ],
    ids=lambda text: text[:20],
)
def test_d24_attribute_values_that_are_no_json_are_held_back_and_say_why(
    export: str, source: str, why: str
) -> None:
    row = {"attribute_value": source, "attribute_name": "n"}

    assert sent(export, row).is_empty()
    assert held_back(export, row) == [(1, '["x","n"]', f"attribute_value {why}", 1)]


def of(person: str, value: str | None = "1", **more: Any) -> Row:
    return {"internal_customer_id": person, "attribute_value": value, **more}


def test_d1_initial_attributes_are_current_values_of_current_people() -> None:
    rows = sent(
        "attributes",
        *(of(person) for person in ("unknown", "suppressed", "current", "deleted")),
        of("current", None),
        of("current", "null"),
        mode=Mode.INITIAL,
        joins={
            "people": [*STATES.values(), {"internal_customer_id": "unknown", "workspace_id": 2}]
        },
    )

    assert rows.select("internal_customer_id", "attribute_value").rows() == [
        ("current", "1"),
        ("current", "null"),
    ]


def test_d1_later_attributes_are_sent_whoever_they_are_of() -> None:
    rows = sent("attributes", of("deleted"), of("unknown"), of("current", None))

    assert rows.select("internal_customer_id", "attribute_value").rows() == [
        ("current", ""),
        ("deleted", "1"),
        ("unknown", "1"),
    ]


def test_d1_initial_object_attributes_are_current_values_of_current_objects() -> None:
    rows = sent(
        "object_attributes",
        *(
            {"internal_object_id": number, "attribute_value": value}
            for number, value in (("2", "1"), ("1", "1"), ("1", None), ("3", "1"))
        ),
        mode=Mode.INITIAL,
        joins={
            "objects": [{"internal_object_id": "1"}, {"internal_object_id": "2", "deleted": True}]
        },
    )

    assert rows.select("internal_object_id", "attribute_value").rows() == [("1", "1")]


def test_the_fixtures_are_source_rows() -> None:
    assert snapshot("people", {}).collect()["workspace_id"].to_list() == [1]

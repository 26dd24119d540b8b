from datetime import datetime, timedelta
from typing import Any

import pytest

from cio_pipeline.model.plans import Mode
from cio_pipeline_tests.changesets.rows import NOON, Row, held_back, hours, sent

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("properties", "data"),
    [
        (None, "{}"),
        ("{}", "{}"),
        ('{"total": 9007199254740993, "b": 1.10}', '{"total": 9007199254740993, "b": 1.10}'),
        ('\n {"a":"\\u00e9"} ', '\n {"a":"\\u00e9"} '),
        *[('{"a":[1e400],"b":"\\ud83d"}',) * 2],
        *[('{"a":' * n + "1" + "}" * n,) * 2 for n in (128, 9_000)],
    ],
    ids=lambda text: str(text)[:20],
)
def test_d3_data_are_the_properties_as_they_were_written(properties: str | None, data: str) -> None:
    assert sent("events", {"properties": properties})["data"].to_list() == [data]


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        *(
            (text, "is no JSON object")
            for text in ("null", "[]", "1", '"{}"', "1e400", '"\\ud83d"')
        ),
        *((text, "is no valid JSON") for text in ("", '{"a":', "{} {}", "{a:1}")),
        ('{"a":NaN}', "holds NaN or Infinity, which is no JSON"),
        ('{"a":' * 10_001 + "1" + "}" * 10_001, "is nested deeper than 10,000 levels"),
    ],
    ids=lambda text: text[:20],
)
def test_d24_properties_that_are_no_object_are_held_back_and_say_why(
    properties: str, why: str
) -> None:
    row = {"properties": properties, "event_id": "e"}

    assert sent("events", row).is_empty()
    assert held_back("events", row) == [(1, '["e"]', f"data {why}", 1)]


def test_d3_no_sources_are_empty_lists() -> None:
    rows = sent(
        "events",
        {"event_id": "1"},
        {"event_id": "2", "sources": [], "source_uas": []},
        {"event_id": "3", "sources": ["a"], "source_uas": ["b", "c"]},
    )

    assert rows.select("sources", "source_uas").rows() == [([], []), ([], []), (["a"], ["b", "c"])]


def test_d3_the_type_of_an_event_is_one_of_three() -> None:
    rows: list[Row] = [
        {"event_id": kind, "type": kind} for kind in ("event", "page", "screen", "track")
    ]

    assert sent("events", *rows)["type"].to_list() == ["event", "page", "screen"]
    assert held_back("events", *rows) == [
        (1, '["track"]', "type is not one of event, page, screen", 1)
    ]


@pytest.mark.parametrize("export", ["events", "inbound"])
@pytest.mark.parametrize("mode", [Mode.INITIAL, Mode.CATCH_UP])
def test_d1_the_age_limit_is_inclusive(export: str, mode: Mode) -> None:
    rows: list[Row] = [
        {"event_id": "a", "processed_at": NOON - MICROSECOND},
        {"event_id": "b", "processed_at": NOON, "timestamp": NOON - hours(999)},
        {"event_id": "c", "processed_at": NOON + MICROSECOND},
    ]

    limited = sent(export, *rows, mode=mode, floor=NOON)
    unlimited = sent(export, *rows, mode=mode)

    assert limited["event_id"].to_list() == ["b", "c"]
    assert unlimited["event_id"].to_list() == ["a", "b", "c"]


def test_d1_a_row_without_a_time_is_held_back_not_lost_to_the_age_limit() -> None:
    row = {"event_id": "a", "processed_at": None}

    assert sent("events", row, floor=NOON).is_empty()
    assert held_back("events", row, floor=NOON) == [
        (1, '["a"]', "processed_at is required and null", 1)
    ]


def test_d3_no_keyword_is_the_empty_string() -> None:
    rows = sent("inbound", {"event_id": "1"}, {"event_id": "2", "keyword": "STOP"})

    assert rows["keyword"].to_list() == ["", "STOP"]


def delivery(**more: Any) -> Row:
    return {
        "delivery_id": "d",
        "delivery_type": "sms",
        "internal_customer_id": "ann",
        "recipient": "+1",
        "created_at": NOON - hours(1),
        **more,
    }


def reply_to(*deliveries: Row, mode: Mode = Mode.CHANGES, **more: Any) -> str | None:
    message = {"internal_customer_id": "ann", "from": "+1", "timestamp": NOON, **more}
    rows = sent("inbound", message, mode=mode, joins={"deliveries": deliveries})
    (answered,) = rows["in_reply_to_delivery_id"]
    return answered


@pytest.mark.parametrize(
    ("sent_at", "expected"),
    [
        (NOON - hours(72), "d"),
        (NOON - hours(72) - MICROSECOND, None),
        (NOON, "d"),
        (NOON + MICROSECOND, None),
    ],
)
def test_d3_replies_are_within_72_hours(sent_at: datetime, expected: str | None) -> None:
    assert reply_to(delivery(created_at=sent_at)) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"delivery_type": "email"},
        {"internal_customer_id": "bob"},
        {"internal_customer_id": None},
        {"recipient": "+2"},
        {"recipient": None},
        {"workspace_id": 2},
    ],
)
def test_d3_replies_answer_an_sms_to_that_person_and_number(other: Row) -> None:
    assert reply_to(delivery(**other)) is None


@pytest.mark.parametrize("mode", [Mode.INITIAL, Mode.CHANGES])
def test_d3_replies_answer_the_latest_delivery(mode: Mode) -> None:
    older = delivery(delivery_id="z", created_at=NOON - hours(3))
    tied = [delivery(delivery_id=name) for name in ("b", "c", "a")]
    too_late = delivery(delivery_id="y", created_at=NOON + hours(1))

    assert reply_to(older, *tied, too_late, mode=mode) == "c"


def test_d3_each_message_finds_its_own_delivery() -> None:
    rows = sent(
        "inbound",
        {"event_id": "1", "internal_customer_id": "bob", "from": "+2"},
        {"event_id": "2", "internal_customer_id": "ann", "from": "+1"},
        {
            "event_id": "3",
            "internal_customer_id": "ann",
            "from": "+1",
            "timestamp": NOON - hours(2),
        },
        {"event_id": "4", "internal_customer_id": "ann", "from": "+3"},
        joins={
            "deliveries": [
                delivery(),
                delivery(delivery_id="old", created_at=NOON - hours(9)),
                delivery(delivery_id="bobs", internal_customer_id="bob", recipient="+2"),
            ]
        },
    )

    assert rows["in_reply_to_delivery_id"].to_list() == ["bobs", "d", "old", None]

from typing import Any

import pytest

from cio_pipeline.contracts.catalog import EXPORTS, exports_of
from cio_pipeline.contracts.declare import ColumnType, History
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.plans import Mode
from cio_pipeline_tests.changesets.rows import Row, sent

PEOPLE: list[Row] = [
    {"internal_customer_id": "current"},
    {"internal_customer_id": "deleted", "deleted": True},
    {"internal_customer_id": "suppressed", "suppressed": True},
    {"internal_customer_id": "elsewhere", "workspace_id": 2, "deleted": True},
]
GONE = ("deleted", "suppressed", "elsewhere", "removed from the source")
STAYING = ("current", None)

CASES = [
    (version, export.name)
    for version in (4, 5)
    for export in exports_of(version)
    if export.history is not History.CURRENT
    and any(column.personal for column in export.columns_of(version))
]
_GIVEN: dict[ColumnType, Any] = {
    ColumnType.INTEGER: 7,
    ColumnType.STRING: "personal",
    ColumnType.BOOLEAN: True,
    ColumnType.STRINGS: ["personal"],
}
_FIXED = {"type": "event", "channel": "email", "properties": '{"personal": 1}', "workspace_id": 1}


def source_row(export: str, person: str | None) -> Row:
    """A row with a value in every column but times, about one person."""
    given = {
        column.name: _FIXED.get(column.name, _GIVEN[column.type])
        for column in SOURCE_TABLES[EXPORTS[export].source].columns
        if column.type is not ColumnType.TIMESTAMP
    }
    return {**given, "internal_customer_id": person}


def personal(export: str, version: int) -> dict[str, Any]:
    """The personal columns and what they are when emptied."""
    empty: dict[ColumnType, Any] = {ColumnType.STRING: "", ColumnType.STRINGS: []}
    return {
        column.name: "{}"
        if column.name == "data"
        else empty[column.type]
        if column.required
        else None
        for column in EXPORTS[export].columns_of(version)
        if column.personal
    }


@pytest.mark.parametrize(("version", "export"), CASES)
@pytest.mark.parametrize("person", GONE)
@pytest.mark.parametrize("mode", [Mode.INITIAL, Mode.RETRY])
def test_d4_initial_rows_about_gone_people_carry_no_personal_data(
    version: int, export: str, person: str, mode: Mode
) -> None:
    """A retry may send what an initial export held back."""
    row = source_row(export, person)
    emptied = personal(export, version)

    (anonymous,) = sent(
        export, row, mode=mode, version=version, joins={"people": PEOPLE}
    ).to_dicts()
    current: list[Row] = [{"internal_customer_id": person}]
    (known,) = sent(export, row, mode=mode, version=version, joins={"people": current}).to_dicts()

    assert anonymous == {**known, **emptied}
    assert all(known[name] not in (None, "", [], "{}") for name in emptied)


@pytest.mark.parametrize(("version", "export"), CASES)
@pytest.mark.parametrize("person", STAYING)
def test_d4_initial_rows_about_others_stay_as_they_are(
    version: int, export: str, person: str | None
) -> None:
    if person is None and EXPORTS[export].history is History.LAST_30_DAYS:
        person = "current"  # these exports are about somebody
    options: dict[str, Any] = {"mode": Mode.INITIAL, "version": version}

    rows = sent(export, source_row(export, person), **options, joins={"people": PEOPLE})

    assert rows.equals(sent(export, source_row(export, person), **options))
    assert rows.height == 1


@pytest.mark.parametrize(("version", "export"), CASES)
@pytest.mark.parametrize("mode", [Mode.CHANGES, Mode.CATCH_UP])
def test_d4_later_rows_are_not_anonymised(version: int, export: str, mode: Mode) -> None:
    row = source_row(export, "deleted")

    (kept,) = sent(export, row, mode=mode, version=version, joins={"people": PEOPLE}).to_dicts()

    assert all(kept[name] not in (None, "", [], "{}") for name in personal(export, version))


def test_d4_the_delivery_that_was_answered_stays() -> None:
    message: Row = {"internal_customer_id": "deleted", "from": "+1"}
    delivery: Row = {
        "internal_customer_id": "deleted",
        "recipient": "+1",
        "delivery_type": "sms",
        "delivery_id": "d",
    }

    rows = sent(
        "inbound", message, mode=Mode.INITIAL, joins={"people": PEOPLE, "deliveries": [delivery]}
    )

    assert rows.select("internal_customer_id", "from", "in_reply_to_delivery_id").rows() == [
        ("", "", "d")
    ]


def test_d4_cases_are_all_exports_that_have_history_about_people() -> None:
    about_people = {name for version, name in CASES if version == 5}

    assert about_people == {
        "deliveries",
        "delivery_content",
        "metrics",
        "outputs",
        "subjects",
        "events",
        "inbound",
    }


NAMES_NOBODY = {
    "campaign_type", "channel", "delivery_id", "delivery_type", "event_id", "from",
    "in_reply_to_delivery_id", "keyword", "message_sid", "messaging_service_sid", "method",
    "metric", "name", "output_id", "output_type", "subject_id", "subject_name", "type",
}  # fmt: skip
"""Text that the platform, the provider or the workspace makes up, never a person or a mail server.

`from` is the workspace's own address in delivery content; that of inbound is personal.
"""


@pytest.mark.parametrize(("version", "export"), CASES)
def test_d4_every_text_about_people_is_personal_or_known_to_name_nobody(
    version: int, export: str
) -> None:
    texts = {ColumnType.STRING, ColumnType.STRINGS}
    columns = [c for c in EXPORTS[export].columns_of(version) if c.type in texts]

    undecided = [c.name for c in columns if not c.personal and c.name not in NAMES_NOBODY]

    assert undecided == []


def test_d4_the_reason_of_a_bounce_quotes_an_address_and_is_personal() -> None:
    bounce = {**source_row("metrics", "deleted"), "reason": "550 5.1.1 <ann@x.example> unknown"}

    rows = sent("metrics", bounce, mode=Mode.INITIAL, joins={"people": PEOPLE})

    assert rows["reason"].to_list() == [None]

"""D1-D4: what every declaration has to hold, whatever it declares."""

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import Afterwards, ColumnType, Export, History, Presence
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.contracts.cases import EVERY, IDS

every_export = pytest.mark.parametrize(("version", "export"), EVERY, ids=IDS)

PERSONAL = {
    "deliveries": {"internal_customer_id"},
    "delivery_content": {
        "reply_to",
        "bcc",
        "recipient",
        "subject",
        "body",
        "body_amp",
        "body_plain",
        "preheader",
        "url",
        "headers",
    },
    "metrics": {
        "reason",
        "link_url",
        "user_agent",
        "email_client",
        "inbox_domain",
        "inbox_provider",
        "mx_host",
    },
    "outputs": {"explanation"},
    "people": {"customer_id", "internal_customer_id", "email_addr"},
    "subjects": {"internal_customer_id"},
    "attributes": {"internal_customer_id"},
    "events": {"internal_customer_id", "data", "sources", "source_uas"},
    "inbound": {"internal_customer_id", "from", "to", "body"},
}

DERIVED = {
    ("people", "customer_id"): {"id", "email"},
    ("people", "email_addr"): {"email"},
    ("people", "created_at"): {"added_at", "id_changed_at", "updated_at"},
    ("events", "data"): {"properties"},
    ("inbound", "in_reply_to_delivery_id"): {"internal_customer_id", "from", "timestamp"},
}
"""Columns that the source tables do not have by that name, and what they are computed from."""

FILLED = {
    ("attributes", "attribute_value"),
    ("object_attributes", "attribute_value"),
    ("delivery_content", "body_plain"),
    ("metrics", "proxied"),
    ("metrics", "prefetched"),
    ("metrics", "machine"),
    ("events", "sources"),
    ("events", "source_uas"),
    ("inbound", "keyword"),
}
"""Required columns that the source may leave null: the specification says what they become."""


@every_export
def test_d1_keys_are_real_required_columns(version: int, export: Export):
    columns = {c.name: c for c in export.columns_of(version)}
    assert len(columns) == len(export.columns_of(version))
    for name in export.row_key:
        assert columns[name].required, name
    assert "workspace_id" not in export.row_key
    assert columns["workspace_id"].required


@every_export
def test_d1_the_entity_key_is_part_of_the_row_key(version: int, export: Export):
    assert set(export.entity_key) <= set(export.row_key)
    if export.newest_by is None:
        assert export.row_key == export.entity_key
    else:
        assert export.newest_by in export.row_key
        assert export.newest_by not in export.entity_key
        kind = {c.name: c.type for c in export.columns_of(version)}[export.newest_by]
        assert kind in {ColumnType.INTEGER, ColumnType.TIMESTAMP}


def test_d1_the_table_of_exports():
    """Stems, history and what comes afterwards, as the specification's table has them."""
    everything, current, month = History.ALL, History.CURRENT, History.LAST_30_DAYS
    changed, new = Afterwards.CHANGED_ROWS, Afterwards.NEW_ROWS
    split = Afterwards.NEW_AND_CHANGES
    assert [(e.name, e.stem, e.history, e.afterwards) for e in EXPORTS.values()] == [
        ("deliveries", "deliveries", everything, changed),
        ("delivery_content", "delivery_content", everything, new),
        ("metrics", "metrics", everything, changed),
        ("outputs", "outputs", everything, changed),
        ("people", "people", current, split),
        ("subjects", "subjects", everything, changed),
        ("attributes", "attributes", current, changed),
        ("campaigns", "campaigns", everything, new),
        ("actions", "campaign_actions", everything, new),
        ("broadcasts", "broadcasts", everything, new),
        ("objects", "object", current, split),
        ("object_types", "object_types", current, split),
        ("object_attributes", "object_attributes", current, changed),
        ("events", "events", month, new),
        ("inbound", "inbound", month, new),
    ]


def test_d1_switches_are_shared_by_two_pairs():
    assert {e.name: e.together for e in EXPORTS.values() if e.together} == {
        "campaigns": "campaign_metadata",
        "actions": "campaign_metadata",
        "objects": "objects",
        "object_types": "objects",
    }


def test_d5_no_two_exports_share_a_stem():
    stems = [e.stem for e in EXPORTS.values()]
    assert len(set(stems)) == len(stems)


@every_export
def test_d4_personal_columns_are_the_specified_ones(version: int, export: Export):
    personal = {c.name for c in export.columns_of(version) if c.personal}
    named = {c.name for c in export.columns_of(version)} & PERSONAL.get(export.name, set())
    assert personal == named


def test_d4_no_specified_personal_column_is_misspelt():
    for name, columns in PERSONAL.items():
        assert columns <= {c.name for c in EXPORTS[name].columns}


def test_d4_what_is_required_and_personal_can_be_emptied():
    """Null is no way out there: only text and lists have an empty value."""
    for export in EXPORTS.values():
        for column in export.columns:
            if column.personal and column.required:
                assert column.type in {ColumnType.STRING, ColumnType.STRINGS}


@every_export
def test_d4_whoever_concerns_people_is_joined_with_them(version: int, export: Export):
    del version
    concerns = "internal_customer_id" in {c.name for c in SOURCE_TABLES[export.source].columns}
    assert ("people" in export.joins) == (concerns and export.name != "people")
    assert set(export.joins) <= set(SOURCE_TABLES)
    assert export.source not in export.joins


@every_export
def test_every_column_can_be_computed_from_the_driving_table(version: int, export: Export):
    source = {c.name: c for c in SOURCE_TABLES[export.source].columns}
    for column in export.columns_of(version):
        inputs = DERIVED.get((export.name, column.name))
        if inputs:
            assert inputs <= set(source)
            continue
        theirs = source[column.name]
        assert theirs.type is column.type
        if column.required and not theirs.required:
            assert (export.name, column.name) in FILLED


def test_the_exports_columns_that_are_filled_are_told_of():
    """A reader learns from a note, or the description, what stands for a missing value."""
    for export, name in FILLED:
        column = next(c for c in EXPORTS[export].columns if c.name == name)
        assert column.note


@every_export
def test_d1_source_identity_is_the_entity_within_a_workspace_or_its_row(
    version: int, export: Export
):
    del version
    workspace, *identity = SOURCE_TABLES[export.source].identity
    assert workspace == "workspace_id"
    assert tuple(identity) in {export.entity_key, export.row_key}


@every_export
def test_references_name_exports_of_the_version(version: int, export: Export):
    for column in export.columns_of(version):
        if column.references:
            assert EXPORTS[column.references].since <= version


@every_export
def test_d5_a_file_has_a_sensible_number_of_rows_and_a_time(version: int, export: Export):
    assert 10_000 <= export.rows_per_file <= 10_000_000
    kinds = {c.name: c.type for c in export.columns_of(version)}
    if export.time_column is None:
        assert ColumnType.TIMESTAMP not in kinds.values()
    else:
        assert kinds[export.time_column] is ColumnType.TIMESTAMP


def test_d3_decisions_of_the_specification():
    inbound = {c.name: c for c in EXPORTS["inbound"].columns}
    assert inbound["in_reply_to_delivery_id"].presence is Presence.NULLABLE
    assert inbound["keyword"].presence is Presence.REQUIRED
    events = {c.name: c for c in EXPORTS["events"].columns}
    assert events["type"].choices == ("event", "page", "screen")
    five = {c.name for c in EXPORTS["metrics"].columns if c.since == 5}
    assert five == {
        "proxied",
        "prefetched",
        "machine",
        "user_agent",
        "email_client",
        "inbox_domain",
        "inbox_provider",
        "mx_host",
    }


def test_d1_v4_says_otherwise_where_its_page_does():
    plain = {
        v: {c.name: c for c in EXPORTS["delivery_content"].columns_of(v)}["body_plain"]
        for v in (4, 5)
    }
    assert (plain[4].required, plain[5].required) == (True, False)
    event = {
        v: {c.name: c for c in EXPORTS["deliveries"].columns_of(v)}["event_id"] for v in (4, 5)
    }
    assert (event[4].references, event[5].references) == ("metrics", "subjects")
    created = {
        v: {c.name: c for c in EXPORTS["people"].columns_of(v)}["created_at"] for v in (4, 5)
    }
    assert "Last change of `id`" in created[4].description
    assert "`_created_in_customerio_at`" in created[5].description

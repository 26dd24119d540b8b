"""People and their attributes."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import PERSON, columns

PEOPLE = SourceTable(
    "people",
    TableKind.MUTABLE,
    ("workspace_id", "internal_customer_id"),
    "updated_at",
    columns(
        PERSON,
        ("id", "str?", "The person's id, if it has one."),
        ("email", "str?", "The person's email address, if it has one."),
        ("added_at", "time", "When the person was added (`_created_in_customerio_at`)."),
        ("id_changed_at", "time?", "When `id` was last set or changed; null without an id."),
        ("updated_at", "time", "When the profile last changed."),
        ("deleted", "bool", "Whether the person was deleted."),
        ("suppressed", "bool", "Whether the person was suppressed."),
    ),
    "Everybody that a workspace has or had; deleted people stay, with `deleted` set.",
)

ATTRIBUTES = SourceTable(
    "attributes",
    TableKind.MUTABLE,
    ("workspace_id", "internal_customer_id", "attribute_name"),
    "timestamp",
    columns(
        PERSON,
        ("attribute_name", "str", "The top-level attribute."),
        ("attribute_value", "str?", "The whole value as JSON text; null once removed."),
        ("timestamp", "time", "When the attribute was last set or removed."),
    ),
    "The current value of each attribute of each person; removed ones stay with a null value.",
)

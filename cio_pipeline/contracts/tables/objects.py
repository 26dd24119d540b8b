"""Objects, their types and attributes."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import columns

_OBJECT = (
    ("object_type_id", "int", "The object's type, numbered from 1 in each workspace."),
    ("internal_object_id", "str", "The object; never changes."),
)

OBJECTS = SourceTable(
    "objects",
    TableKind.MUTABLE,
    ("workspace_id", "internal_object_id"),
    "updated_at",
    columns(
        *_OBJECT,
        ("object_id", "str", "The id that people see."),
        ("deleted", "bool", "Whether it was deleted."),
        ("created_at", "time", "When it was added."),
        ("updated_at", "time", "When it last changed."),
    ),
    "Objects such as accounts; deleted ones stay with `deleted` set.",
)

OBJECT_TYPES = SourceTable(
    "object_types",
    TableKind.MUTABLE,
    ("workspace_id", "object_type_id"),
    "updated_at",
    columns(
        ("object_type_id", "int", "The type, numbered from 1 in each workspace."),
        ("name", "str", "Its name, like Accounts."),
        ("slug", "str", "Its name in templates."),
        ("deleted", "bool", "Whether it was deleted."),
        ("enabled", "bool", "Whether it can be used."),
        ("updated_at", "time", "When it last changed."),
    ),
    "Types of objects.",
)

OBJECT_ATTRIBUTES = SourceTable(
    "object_attributes",
    TableKind.MUTABLE,
    ("workspace_id", "internal_object_id", "attribute_name"),
    "timestamp",
    columns(
        *_OBJECT,
        ("attribute_name", "str", "The top-level attribute."),
        ("attribute_value", "str?", "The whole value as JSON text; null once removed."),
        ("timestamp", "time", "When the attribute was last set or removed."),
    ),
    "The current value of each attribute of each object.",
)

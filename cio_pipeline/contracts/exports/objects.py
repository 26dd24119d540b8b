"""Objects such as accounts, their types and attributes, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    BOOLEAN,
    INTEGER,
    NULLABLE,
    REQUIRED,
    STRING,
    TIMESTAMP,
    workspace,
)

OBJECTS_SWITCH = "objects"
"""The switch that objects and object_types share."""

_TYPES_COUNT = (
    "Object type IDs begin at 1 and increase sequentially. For example, if you created objects "
    "called Accounts and Companies, in that order, they'd have object types `1` and `2` "
    "respectively."
)

OBJECTS = Export(
    name="objects",
    stem="object",
    title="Objects",
    description="The first files hold the objects of the moment, without deleted ones. Later ones "
    "hold objects that are new, and, in `chngs` files of the same structure, those that were "
    "changed or deleted. Load both into one table. Shares the switch `objects` with object_types.",
    columns=(
        workspace("associated with the object"),
        Column("object_type_id", INTEGER, REQUIRED, _TYPES_COUNT, references="object_types"),
        Column(
            "object_id",
            STRING,
            REQUIRED,
            "The ID of the object in question. This will match the ID you see in the UI.",
        ),
        Column(
            "internal_object_id",
            STRING,
            REQUIRED,
            "A unique, immutable ID that is assigned to the object. Other exports use this value "
            "to reference your object; you can use this export to resolve internal IDs to your "
            "object IDs.",
        ),
        Column(
            "deleted",
            BOOLEAN,
            NULLABLE,
            "This indicates whether the object has been deleted.",
            note="Nullable in the schema, but always written as true or false. The seed speaks of "
            "suppressed objects too; there is no such state.",
        ),
        Column(
            "created_at",
            TIMESTAMP,
            REQUIRED,
            "The date/time when the object was added to your workspace.",
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time when a object was updated. Use the most recent updated_at value for an "
            "object_id to disambiguate between multiple records.",
            note="An `object_id` is unique within its type only; the newest row is found per "
            "`internal_object_id`.",
        ),
    ),
    row_key=("internal_object_id", "updated_at"),
    entity_key=("internal_object_id",),
    newest_by="updated_at",
    history=History.CURRENT,
    afterwards=Afterwards.NEW_AND_CHANGES,
    source="objects",
    joins=(),
    rows_per_file=2_000_000,
    time_column="updated_at",
    since=5,
    together=OBJECTS_SWITCH,
)

OBJECT_TYPES = Export(
    name="object_types",
    stem="object_types",
    title="Object types",
    description="What kinds of objects there are. The first files hold the types of the moment, "
    "without deleted ones; later ones the types that are new, and, in `chngs` files of the same "
    "structure, those that were changed or deleted. Shares the switch `objects` with objects.",
    columns=(
        workspace("associated with the object"),
        Column("object_type_id", INTEGER, REQUIRED, _TYPES_COUNT),
        Column(
            "name",
            STRING,
            REQUIRED,
            'The name of the object type, like "Accounts" or "Companies."',
        ),
        Column(
            "slug",
            STRING,
            REQUIRED,
            "The value you use to reference objects of this type with liquid. For example, if "
            "your object type is Accounts, you'll typically reference objects using "
            "`{{objects.accounts}}`.",
        ),
        Column("deleted", BOOLEAN, REQUIRED, "If true, the object type has been deleted."),
        Column(
            "enabled",
            BOOLEAN,
            REQUIRED,
            "If true, the object type is enabled. You can't use disabled object types in "
            "segments, messages, and so on.",
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date and time the object type was last updated.",
        ),
    ),
    row_key=("object_type_id", "updated_at"),
    entity_key=("object_type_id",),
    newest_by="updated_at",
    history=History.CURRENT,
    afterwards=Afterwards.NEW_AND_CHANGES,
    source="object_types",
    joins=(),
    rows_per_file=2_000_000,
    time_column="updated_at",
    since=5,
    together=OBJECTS_SWITCH,
)

OBJECT_ATTRIBUTES = Export(
    name="object_attributes",
    stem="object_attributes",
    title="Object attributes",
    description="Changes to object attributes. The first files hold the current attributes of the "
    "objects of the moment; later ones hold the last change of each attribute, one a row.",
    columns=(
        workspace("associated with the person"),
        Column(
            "object_type_id",
            INTEGER,
            REQUIRED,
            f"The type of the object represented by the `internal_object_id`. {_TYPES_COUNT}",
            references="object_types",
        ),
        Column(
            "internal_object_id",
            STRING,
            REQUIRED,
            "A unique, immutable ID that is assigned to the object. You can resolve this value "
            "to the object name or ID you're familiar with from the associated Objects export.",
            references="objects",
        ),
        Column("attribute_name", STRING, REQUIRED, "The attribute that changed."),
        Column(
            "attribute_value",
            STRING,
            REQUIRED,
            "The new value of the attribute.",
            note="As in attributes: a string as it is, any other scalar in its JSON form with "
            "every digit, a nested value whole as JSON, the empty string once removed.",
        ),
        Column("timestamp", TIMESTAMP, REQUIRED, "The timestamp of the attribute update."),
    ),
    row_key=("internal_object_id", "attribute_name", "timestamp"),
    entity_key=("internal_object_id", "attribute_name"),
    newest_by="timestamp",
    history=History.CURRENT,
    afterwards=Afterwards.CHANGED_ROWS,
    source="object_attributes",
    joins=("objects",),
    rows_per_file=4_000_000,
    time_column="timestamp",
    since=5,
)

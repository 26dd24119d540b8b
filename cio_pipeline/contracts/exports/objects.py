"""Objects such as accounts, their types and attributes, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    column,
    workspace,
)

OBJECTS_SWITCH = "objects"
"""The switch that objects and object_types share."""

_TYPE = (
    "The object's type. Types are numbered from 1 in the order of their creation: where Accounts "
    "came first and Companies next, they are `1` and `2`."
)

OBJECTS = Export(
    name="objects",
    stem="object",
    title="Objects",
    description="The first files hold the objects of the moment, without deleted ones. Later ones "
    "hold objects that are new, and, in `chngs` files of the same structure, those that were "
    "changed or deleted. Load both into one table. Shares the switch `objects` with object_types.",
    columns=(
        workspace("object"),
        column("object_type_id: int", _TYPE, references="object_types"),
        column("object_id: str", "The object's own ID, as shown in the UI."),
        column(
            "internal_object_id: str",
            "ID that never changes and that other exports use; this export translates it into "
            "an `object_id`.",
        ),
        column(
            "deleted: bool, nullable",
            "Whether the object was deleted.",
            note="Nullable in the schema, but always written as true or false. The seed speaks of "
            "suppressed objects too; there is no such state.",
        ),
        column("created_at: time", "When the object was added to the workspace."),
        column(
            "updated_at: time",
            "When the object last changed; of several rows of one `object_id`, the latest counts.",
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
    needs=("deleted",),
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
        workspace("object type"),
        column("object_type_id: int", _TYPE),
        column("name: str", "What the type is called, like Accounts."),
        column(
            "slug: str",
            "The type's name in Liquid; `{{objects.accounts}}` mostly stands for objects of "
            "the type Accounts.",
        ),
        column("deleted: bool", "Whether the type was deleted."),
        column(
            "enabled: bool", "Whether the type can be used in segments, messages and elsewhere."
        ),
        column("updated_at: time", "When the type last changed."),
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
        workspace("object"),
        column("object_type_id: int", _TYPE, references="object_types"),
        column(
            "internal_object_id: str",
            "The object, by the ID that never changes; objects translates it into an `object_id`.",
            references="objects",
        ),
        column("attribute_name: str", "Attribute that changed."),
        column(
            "attribute_value: str",
            "Its value after the change.",
            note="As in attributes: a string as it is, any other scalar in its JSON form with "
            "every digit, a nested value whole as JSON, the empty string once removed.",
        ),
        column("timestamp: time", "When it changed."),
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

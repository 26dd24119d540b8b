"""People and their attributes."""

from cio_pipeline.contracts.declare import V4, Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    BOOLEAN,
    NULLABLE,
    OPTIONAL,
    PERSON_KEY,
    REQUIRED,
    STRING,
    TIMESTAMP,
    workspace,
)

_NEVER_NULL = (
    "Nullable in the schema, but always written as true or false, for readers that take null for "
    "true."
)

PEOPLE = Export(
    name="people",
    stem="people",
    title="People",
    description="The first files hold the people of the moment, without those deleted or "
    "suppressed. Later ones hold people who are new, and, in `chngs` files of the same structure, "
    "those who were changed, deleted or suppressed. Load both into one table.",
    columns=(
        workspace("associated with the person"),
        Column(
            "customer_id",
            STRING,
            REQUIRED,
            "The ID of the person in question. This will match the ID you see in the UI.",
            personal=True,
            note="The person's `id`; the email address where there is no `id`; the empty string "
            "where there is neither.",
        ),
        PERSON_KEY,
        Column(
            "deleted",
            BOOLEAN,
            NULLABLE,
            "This indicates whether the person has been deleted.",
            note=_NEVER_NULL,
        ),
        Column(
            "suppressed",
            BOOLEAN,
            NULLABLE,
            "This indicates whether the person has been suppressed.",
            note=_NEVER_NULL,
        ),
        Column(
            "created_at",
            TIMESTAMP,
            REQUIRED,
            "The date/time when the person was added (using the `_created_in_customerio_at` "
            "attribute). Note that this is not necessarily the same as a person's `created_at` "
            "value! If you import people from an external system, a CSV, or backdate the "
            "`created_at` value, this value is likely to be different from a person's "
            "`created_at` attribute. Note that this value is 0 for deleted or suppressed people.",
            note="The two versions mean different things. v5: when the person was added, and "
            "1970-01-01T00:00:00Z (epoch 0, never null) for deleted or suppressed people. v4: "
            "the last change of `id`, else the last change of the profile, for everybody.",
            v4=V4(
                description="The timestamp of the most recent change to the `id` attribute (this "
                "is typically when the `id` is first set). If the `id` attribute doesn't exist "
                "(the person is identified only by their email address), this value is the last "
                "time the profile changed."
            ),
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time when a person was updated. Use the most recent updated_at value for a "
            "customer_id to disambiguate between multiple records.",
            note="A `customer_id` can change or be empty; the newest row is found per "
            "`internal_customer_id`.",
        ),
        Column(
            "email_addr",
            STRING,
            OPTIONAL,
            "The email address of the person. For workspaces using email as a unique identifier, "
            "this value may be the same as the `customer_id`.",
            personal=True,
        ),
    ),
    row_key=("internal_customer_id", "updated_at"),
    entity_key=("internal_customer_id",),
    newest_by="updated_at",
    history=History.CURRENT,
    afterwards=Afterwards.NEW_AND_CHANGES,
    source="people",
    joins=(),
    rows_per_file=3_000_000,
    time_column="updated_at",
)

ATTRIBUTES = Export(
    name="attributes",
    stem="attributes",
    title="Attributes",
    description="Changes to people by way of their attribute values. The first files hold the "
    "current attributes of the people of the moment; later ones hold the last change of each "
    "attribute, one a row.",
    columns=(
        workspace("associated with the person"),
        PERSON_KEY,
        Column("attribute_name", STRING, REQUIRED, "The attribute that was updated."),
        Column(
            "attribute_value",
            STRING,
            REQUIRED,
            "The new value of the attribute.",
            note="A string as it is, any other scalar in its JSON form with every digit, a nested "
            "value as JSON. For nested values the v5 seed speaks of the nested changes; here it "
            "is the whole new value of the top-level attribute. A removed attribute has the empty "
            "string. Attributes of people who are gone before the first export are left out of "
            "it.",
        ),
        Column("timestamp", TIMESTAMP, REQUIRED, "The timestamp of the attribute update."),
    ),
    row_key=("internal_customer_id", "attribute_name", "timestamp"),
    entity_key=("internal_customer_id", "attribute_name"),
    newest_by="timestamp",
    history=History.CURRENT,
    afterwards=Afterwards.CHANGED_ROWS,
    source="attributes",
    joins=("people",),
    rows_per_file=4_000_000,
    time_column="timestamp",
)

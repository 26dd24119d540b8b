"""People and their attributes."""

from cio_pipeline.contracts.declare import V4, Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    PERSON_KEY,
    column,
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
        workspace("person"),
        column(
            "customer_id: str",
            "The person's own ID, as shown in the UI.",
            personal=True,
            note="The person's `id`; the email address where there is no `id`; the empty string "
            "where there is neither.",
        ),
        PERSON_KEY,
        column("deleted: bool, nullable", "Whether the person was deleted.", note=_NEVER_NULL),
        column(
            "suppressed: bool, nullable", "Whether the person was suppressed.", note=_NEVER_NULL
        ),
        column(
            "created_at: time",
            "When the person was added, from `_created_in_customerio_at`; 0 once deleted or "
            "suppressed. Not the attribute `created_at`, which may differ, as after an import "
            "from elsewhere or a backdating.",
            note="The two versions mean different things. v5: when the person was added, and "
            "1970-01-01T00:00:00Z (epoch 0, never null) for deleted or suppressed people. v4: "
            "the last change of `id`, else the last change of the profile, for everybody.",
            v4=V4(
                description="Last change of `id`, mostly its first setting; for people "
                "known by their email alone, last change of the profile."
            ),
        ),
        column(
            "updated_at: time",
            "When the person last changed; of several rows of one `customer_id`, the latest "
            "counts.",
            note="A `customer_id` can change or be empty; the newest row is found per "
            "`internal_customer_id`.",
        ),
        column(
            "email_addr: str, optional",
            "The person's email address; where email identifies people, it may equal the "
            "`customer_id`.",
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
    needs=("deleted", "suppressed"),
)

ATTRIBUTES = Export(
    name="attributes",
    stem="attributes",
    title="Attributes",
    description="What is known of people. The first files hold the current attributes of the "
    "people of the moment; later ones hold the last change of each attribute, one a row.",
    columns=(
        workspace("person"),
        PERSON_KEY,
        column("attribute_name: str", "Attribute that changed."),
        column(
            "attribute_value: str",
            "Its value after the change.",
            note="A string as it is, any other scalar in its JSON form with every digit, a nested "
            "value as JSON. For nested values the v5 seed speaks of the nested changes; here it "
            "is the whole new value of the top-level attribute. A removed attribute has the empty "
            "string. Attributes of people who are gone before the first export are left out of "
            "it.",
        ),
        column("timestamp: time", "When it changed."),
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

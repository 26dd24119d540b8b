"""Short names for declarations, and the columns that several exports share."""

from cio_pipeline.contracts.declare import Column, ColumnType, Presence

INTEGER = ColumnType.INTEGER
STRING = ColumnType.STRING
BOOLEAN = ColumnType.BOOLEAN
TIMESTAMP = ColumnType.TIMESTAMP
STRINGS = ColumnType.STRINGS

REQUIRED = Presence.REQUIRED
NULLABLE = Presence.NULLABLE
OPTIONAL = Presence.OPTIONAL

_RESOLVE = "Use the people files to resolve this ID to an external `customer_id` or email address."


def workspace(of: str) -> Column:
    """The workspace that owns the row; `of` completes "the workspace …"."""
    return Column("workspace_id", INTEGER, REQUIRED, f"The ID of the workspace {of}.")


def person(presence: Presence, who: str = "in question") -> Column:
    """The person that a row concerns; personal, so emptied for those already gone (D4)."""
    return Column(
        "internal_customer_id",
        STRING,
        presence,
        f"The `cio_id` of the person {who}. {_RESOLVE}",
        references="people",
        personal=True,
    )


PERSON_KEY = Column(
    "internal_customer_id",
    STRING,
    REQUIRED,
    f"The `cio_id` of the person in question. {_RESOLVE}",
    personal=True,
)
"""The person where the seeds make it the key."""

SEQ_NUM = Column(
    "seq_num",
    INTEGER,
    REQUIRED,
    "A monotonically increasing number indicating relative recency for each record: the larger "
    "the number, the more recent the record.",
)

TOPIC_NAMES = Column(
    "topic_names",
    STRINGS,
    NULLABLE,
    "If you use the subscription center feature, the subscription topics that users must be "
    "subscribed to in order to receive the campaign. If the campaign is not associated with any "
    "topics, this value is null.",
    note="The seed's LIST is also called a comma-separated list; it is a Parquet LIST of STRING, "
    "and null, never an empty list, where there are no topics.",
)

MILLISECONDS = (
    "The seed says milliseconds; the resolution is the sync's `timestamp_unit`, microseconds "
    "unless it is set to `ms`."
)
"""Note on the timestamps that the seed gives a resolution for."""

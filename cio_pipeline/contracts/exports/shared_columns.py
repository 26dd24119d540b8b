"""Short names for declarations, and the columns that several exports share."""

from typing import Any

from cio_pipeline.contracts.declare import TYPES, Column, Presence

REQUIRED = Presence.REQUIRED
NULLABLE = Presence.NULLABLE


def column(declared: str, description: str, **more: Any) -> Column:
    """A column from `name: type`, with `, nullable` or `, optional` behind it unless required."""
    name, _, said = declared.partition(": ")
    kind, _, presence = said.partition(", ")
    return Column(name, TYPES[kind], Presence(presence.title() or "Required"), description, **more)


_RESOLVE = "the people files translate it into a `customer_id` or an email address."


def workspace(thing: str) -> Column:
    """The workspace that owns the row, which is about a `thing`."""
    return column("workspace_id: int", f"The workspace of the {thing}.")


def person(presence: Presence, who: str = "that the row is about") -> Column:
    """The person that a row concerns; personal, so emptied for those already gone (D4)."""
    return Column(
        "internal_customer_id",
        TYPES["str"],
        presence,
        f"`cio_id` of the person {who}; {_RESOLVE}",
        references="people",
        personal=True,
    )


PERSON_KEY = column(
    "internal_customer_id: str", f"`cio_id` of the person; {_RESOLVE}", personal=True
)
"""The person where the seeds make it the key."""

SEQ_NUM = column(
    "seq_num: int",
    "Grows with each change of the record; of two rows of it, the larger number is the newer.",
)

TOPIC_NAMES = column(
    "topic_names: strs, nullable",
    "Topics of the subscription center whose subscribers alone receive it; null without topics.",
    note="The seed's LIST is also called a comma-separated list; it is a Parquet LIST of STRING, "
    "and null, never an empty list, where there are no topics.",
)

MILLISECONDS = (
    "The seed says milliseconds; the resolution is the sync's `timestamp_unit`, microseconds "
    "unless it is set to `ms`."
)
"""Note on the timestamps that the seed gives a resolution for."""

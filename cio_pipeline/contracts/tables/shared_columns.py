"""What the declarations of source tables share.

A row that concerns a person carries that person's `internal_customer_id`, also where the export
does not show it: anonymising (D4) then needs no other table than `people`.
"""

from cio_pipeline.contracts.declare import TYPES, SourceColumn

PERSON = ("internal_customer_id", "str", "The person's `cio_id`; never changes.")
PERSON_OR_NONE = (
    "internal_customer_id",
    "str?",
    "The `cio_id` of the person that the row concerns; null if it concerns nobody.",
)
SEQ = ("seq_num", "int", "Grows with every change of the row.")


def columns(*lines: tuple[str, str, str]) -> tuple[SourceColumn, ...]:
    """Columns from (name, type, description).

    A type that ends in `?` is nullable; after `??` older tables lack the column.
    """
    return tuple(
        SourceColumn(
            name, TYPES[kind.rstrip("?")], not kind.endswith("?"), text, kind.endswith("??")
        )
        for name, kind, text in (
            ("workspace_id", "int", "The workspace that owns the row."),
            *lines,
        )
    )

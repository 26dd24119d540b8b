"""Messages: each row becomes one object, so only identity and source are declared (M1)."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import column

MESSAGES = Export(
    name="messages",
    stem="messages",
    title="Messages",
    description="One JSON object for each message.",
    columns=(
        column("message_id: str", "The message's `event-id`."),
        column("data: str", "The payload, unchanged.", personal=True),
    ),
    row_key=("message_id",),
    entity_key=("message_id",),
    newest_by=None,
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="messages",
    joins=(),
    rows_per_file=100_000,
    time_column=None,
)
"""What a sync of the messages feed sends."""

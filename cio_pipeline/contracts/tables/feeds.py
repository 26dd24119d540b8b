"""What the feeds forward as it came: calls, and messages."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import columns

ARRIVAL = "arrival"
"""The column that keeps the order of lines, which neither Delta nor its change feed does."""

CALLS = SourceTable(
    "calls",
    TableKind.APPEND_ONLY,
    ("workspace_id", "call_id"),
    None,
    columns(
        ("call_id", "str", "Tells calls apart; a call without an id gets it as `message_id`."),
        ("type", "str", "identify, track, page, screen, group or alias, in any case."),
        ("received_at", "time", "When the platform received it."),
        ("payload", "str", "The call as the SDK sent it: the text of a JSON object."),
        (ARRIVAL, "int??", "Its place among the calls of its commit, in order of arrival."),
    ),
    "Calls of SDKs and servers, as they came in.",
)

MESSAGES = SourceTable(
    "messages",
    TableKind.APPEND_ONLY,
    ("workspace_id", "message_id"),
    None,
    columns(
        ("message_id", "str", "The message's `event-id`."),
        (ARRIVAL, "int??", "Its place among the messages of its commit, in order of arrival."),
        ("timestamp", "str?", "Its time as RFC 3339 text, to the last digit."),
        ("metadata", "str?", "Its metadata: the text of a JSON object."),
        ("payload", "str", "What becomes the object's `data`: the text of a JSON object."),
    ),
    "Messages to be written as one object each.",
)

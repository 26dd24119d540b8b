"""Events and inbound messages."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import PERSON, columns

_RECEIVED = (
    ("timestamp", "time", "When it happened."),
    ("processed_at", "time", "When the platform processed it."),
)

EVENTS = SourceTable(
    "events",
    TableKind.APPEND_ONLY,
    ("workspace_id", "event_id"),
    None,
    columns(
        ("event_id", "str", "The event."),
        PERSON,
        ("name", "str", "Its name."),
        ("type", "str", "event, page or screen."),
        ("properties", "str?", "Its properties as a JSON object; null is `{}`."),
        *_RECEIVED,
        ("sources", "strs?", "Where it came from."),
        ("source_uas", "strs?", "User agents that it came from."),
    ),
    "What people did.",
)

INBOUND = SourceTable(
    "inbound",
    TableKind.APPEND_ONLY,
    ("workspace_id", "event_id"),
    None,
    columns(
        ("event_id", "str", "The inbound message."),
        PERSON,
        *_RECEIVED,
        ("channel", "str", "The channel, like sms."),
        ("from", "str", "Phone number of the person."),
        ("to", "str", "Phone number that was replied to."),
        ("body", "str", "The message."),
        ("keyword", "str?", "The keyword detected, if any."),
        ("optout", "bool", "Whether it asks to opt out."),
        ("messaging_service_sid", "str", "The provider's messaging service."),
        ("message_sid", "str", "The provider's message."),
    ),
    "SMS that people sent.",
)

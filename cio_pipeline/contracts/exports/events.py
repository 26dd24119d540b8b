"""What people did, and the SMS that they sent, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    REQUIRED,
    column,
    person,
    workspace,
)

EVENTS = Export(
    name="events",
    stem="events",
    title="Events",
    description="What people do in an app or on a website, one event a row. The first files hold "
    "the events processed in the last 30 days, later ones those since the last sync.",
    columns=(
        workspace("person"),
        column("event_id: str", "Identifies the event; use it to drop duplicates."),
        person(REQUIRED, "who did it"),
        column("name: str", "What the event is called."),
        column(
            "type: str",
            "`page` or `screen` for a view of one, `event` for everything else.",
            choices=("event", "page", "screen"),
        ),
        column(
            "data: str",
            "The event's `properties` as JSON text, without its name, times and ID.",
            personal=True,
            note="The JSON of the properties alone; `{}` if there are none.",
        ),
        column(
            "timestamp: time",
            "When it happened by its sender's word; where the sender gave no time, when the "
            "platform received it.",
        ),
        column(
            "processed_at: time",
            "When the platform processed it.",
            note="The 30 days of the first export count by this column.",
        ),
        column(
            "sources: strs",
            "What sent the event, such as the name of an SDK.",
            personal=True,
            note="An empty list if none is known.",
        ),
        column(
            "source_uas: strs",
            "User agents that sent the event, like `Mozilla/5.0 (X11; Linux x86_64)`.",
            personal=True,
            note="An empty list if none is known.",
        ),
    ),
    row_key=("event_id",),
    entity_key=("event_id",),
    newest_by=None,
    history=History.LAST_30_DAYS,
    afterwards=Afterwards.NEW_ROWS,
    source="events",
    joins=("people",),
    rows_per_file=1_000_000,
    time_column="processed_at",
    since=5,
)

INBOUND = Export(
    name="inbound",
    stem="inbound",
    title="Inbound",
    description="Replies to SMS messages, one inbound message a row. The first files hold those "
    "processed in the last 30 days, later ones those since the last sync.",
    columns=(
        workspace("inbound message"),
        column("event_id: str", "Identifies the message; use it to drop duplicates."),
        person(REQUIRED, "who wrote it"),
        column("timestamp: time", "When the person sent it."),
        column(
            "processed_at: time",
            "When the platform processed it.",
            note="The 30 days of the first export count by this column.",
        ),
        column("channel: str", "Channel that it came by, such as `sms`."),
        column("from: str", "Phone number of the person.", personal=True),
        column("to: str", "Phone number that it was sent to.", personal=True),
        column("body: str", "What the person wrote.", personal=True),
        column(
            "keyword: str",
            "Keyword found in the text, if any.",
            note="The empty string where none was detected.",
        ),
        column("optout: bool", "Whether it asks to opt out."),
        column(
            "messaging_service_sid: str",
            "The messaging service, by the ID that the SMS provider gave it.",
        ),
        column("message_sid: str", "The message, by the ID that the SMS provider gave it."),
        column(
            "in_reply_to_delivery_id: str, nullable",
            "The delivery that it answers, of the 72 hours before it; null if none is found.",
            references="deliveries",
            note="The seed says Required and null in one breath; the column is nullable. It is "
            "the latest SMS delivery to that person and phone number within the 72 hours before "
            "the message.",
        ),
    ),
    row_key=("event_id",),
    entity_key=("event_id",),
    newest_by=None,
    history=History.LAST_30_DAYS,
    afterwards=Afterwards.NEW_ROWS,
    source="inbound",
    joins=("people", "deliveries"),
    rows_per_file=1_000_000,
    time_column="processed_at",
    since=5,
)

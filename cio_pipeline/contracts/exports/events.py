"""What people did, and the SMS that they sent, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    BOOLEAN,
    NULLABLE,
    REQUIRED,
    STRING,
    STRINGS,
    TIMESTAMP,
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
        workspace("associated with the person"),
        Column(
            "event_id",
            STRING,
            REQUIRED,
            "The ID of the event, which may be useful if you need to dedupe events.",
        ),
        person(REQUIRED, "who performed the event"),
        Column("name", STRING, REQUIRED, "The event name."),
        Column(
            "type",
            STRING,
            REQUIRED,
            "One of `event`, `page`, or `screen`; `page` and `screen` represent page and "
            "screenviews respectively. The `event` value represents any other kind of event.",
            choices=("event", "page", "screen"),
        ),
        Column(
            "data",
            STRING,
            REQUIRED,
            "A stringified object containing the event `properties` - the event payload aside "
            "from the name, timestamps, and ID.",
            personal=True,
            note="The JSON of the properties alone; `{}` if there are none.",
        ),
        Column(
            "timestamp",
            TIMESTAMP,
            REQUIRED,
            "The Unix timestamp associated with the event. If you don't set this value yourself, "
            "this is the date-time when the platform received the event.",
        ),
        Column(
            "processed_at",
            TIMESTAMP,
            REQUIRED,
            "The Unix time when the platform processed the event.",
            note="The 30 days of the first export count by this column.",
        ),
        Column(
            "sources",
            STRINGS,
            REQUIRED,
            "The source(s) of the event, e.g. `Customer.io Data Pipelines via JavaScript`.",
            personal=True,
            note="An empty list if none is known.",
        ),
        Column(
            "source_uas",
            STRINGS,
            REQUIRED,
            "The user agent source(s) of the event, e.g. `Mozilla/5.0 (Macintosh; Intel Mac OS X "
            "10.15; rv:132.0) Gecko/20100101 Firefox/132.0`.",
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
        workspace("associated with the inbound message"),
        Column(
            "event_id",
            STRING,
            REQUIRED,
            "The unique event identifier, which may be useful if you need to dedupe events.",
        ),
        person(REQUIRED, "who sent the message"),
        Column(
            "timestamp",
            TIMESTAMP,
            REQUIRED,
            "The Unix timestamp when the person sent the inbound message.",
        ),
        Column(
            "processed_at",
            TIMESTAMP,
            REQUIRED,
            "The Unix timestamp when the platform processed the event.",
            note="The 30 days of the first export count by this column.",
        ),
        Column("channel", STRING, REQUIRED, 'The messaging channel (e.g., "sms").'),
        Column(
            "from",
            STRING,
            REQUIRED,
            "The phone number the person sent the inbound message from.",
            personal=True,
        ),
        Column(
            "to",
            STRING,
            REQUIRED,
            "The phone number the person replied to.",
            personal=True,
        ),
        Column(
            "body",
            STRING,
            REQUIRED,
            "The content of the inbound message.",
            personal=True,
        ),
        Column(
            "keyword",
            STRING,
            REQUIRED,
            "The keyword detected in the message, if any.",
            note="The empty string where none was detected.",
        ),
        Column(
            "optout",
            BOOLEAN,
            REQUIRED,
            "If true, the message was an opt-out request; if false, it was not.",
        ),
        Column(
            "messaging_service_sid",
            STRING,
            REQUIRED,
            "The messaging service identifier from the SMS provider.",
        ),
        Column(
            "message_sid",
            STRING,
            REQUIRED,
            "The unique message identifier from the SMS provider.",
        ),
        Column(
            "in_reply_to_delivery_id",
            STRING,
            NULLABLE,
            "The delivery ID of the message this inbound message is replying to, if available. "
            "We match inbound messages to deliveries within 72 hours of the original delivery. If "
            "the inbound message occurs outside the 72 hour window, or we can't attribute the "
            "inbound message to a delivery, this field is `null`.",
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

"""Delivery content: what deliveries said."""

from cio_pipeline.contracts.declare import V4, Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import INTEGER, NULLABLE, REQUIRED, STRING, workspace

DELIVERY_CONTENT = Export(
    name="delivery_content",
    stem="delivery_content",
    title="Delivery content",
    description="The contents of messages, one row a delivery. Content of a campaign has campaign "
    "and action IDs and null newsletter and content IDs; content of a newsletter the other way "
    "round. It may come a window later than its delivery, and may be very large.",
    columns=(
        Column(
            "delivery_id",
            STRING,
            REQUIRED,
            "The ID of the delivery associated with the message content.",
            references="deliveries",
        ),
        workspace("associated with the output record"),
        Column(
            "type",
            STRING,
            REQUIRED,
            "The delivery type - one of email, sms, push, in-app, or webhook.",
            note="The seeds leave out `slack`, a type of deliveries, which occurs here too.",
        ),
        Column(
            "campaign_id",
            INTEGER,
            NULLABLE,
            "The ID for the campaign that produced the content (if applicable).",
        ),
        Column(
            "action_id",
            INTEGER,
            NULLABLE,
            "The ID for the campaign workflow item that produced the content.",
        ),
        Column(
            "newsletter_id",
            INTEGER,
            NULLABLE,
            "The ID for the newsletter that produced the content.",
        ),
        Column(
            "content_id",
            INTEGER,
            NULLABLE,
            "The ID for the newsletter content, 0 indexed. If your newsletter did not include an "
            "A/B test or multiple languages, this value is 0.",
            note="An index of its own, not the `content_id` of deliveries; null for campaigns.",
            v4=V4(
                description="The ID for the Newsletter A/B test item that produced the content, "
                "0 indexed. If your Newsletter did not include an A/B test, this value is 0."
            ),
        ),
        Column(
            "from",
            STRING,
            NULLABLE,
            "The from address for an email, if the content represents an email.",
        ),
        Column(
            "reply_to",
            STRING,
            NULLABLE,
            "The Reply To address for an email, if the content is related to an email.",
            personal=True,
        ),
        Column(
            "bcc",
            STRING,
            NULLABLE,
            "The Blind Carbon Copy (BCC) address for an email, if the content is related to an "
            "email.",
            personal=True,
        ),
        Column(
            "recipient",
            STRING,
            REQUIRED,
            "The person who received the message, dependent on the type. For an email, this is "
            "an email address; for an SMS, it's a phone number; for a push notification, it's a "
            "device ID.",
            personal=True,
        ),
        Column(
            "subject",
            STRING,
            NULLABLE,
            "The subject line of the message, if applicable; required if the message is an email.",
            personal=True,
            note="Nullable for the file, emails included: nothing enforces a subject.",
        ),
        Column(
            "body",
            STRING,
            REQUIRED,
            "The body of the message, including all HTML markup for an email.",
            personal=True,
        ),
        Column(
            "body_amp",
            STRING,
            NULLABLE,
            "The HTML body of an email including any AMP-enabled JavaScript included in the "
            "message.",
            personal=True,
        ),
        Column(
            "body_plain",
            STRING,
            NULLABLE,
            "The plain text of an email message, without HTML tags or AMP content. This field is "
            "typically `null` unless you manually set or change the plain-text version of an "
            "email.",
            personal=True,
            note="Nullable in v5, Required in v4, where a message without a plain-text version "
            "has the empty string.",
            v4=V4(
                presence=REQUIRED,
                description="The plain text of your message. If the content type is email, this "
                "is the message text without HTML tags and AMP content.",
            ),
        ),
        Column(
            "preheader",
            STRING,
            NULLABLE,
            'Also known as "preview text", this is the block of text that users see next to, or '
            "underneath, the subject line in their inbox.",
            personal=True,
        ),
        Column(
            "url",
            STRING,
            NULLABLE,
            "If the delivery is an outgoing webhook, this is the URL of the webhook.",
            personal=True,
        ),
        Column(
            "method",
            STRING,
            NULLABLE,
            "If the delivery is an outgoing webhook, this is the HTTP method used - POST, PUT, "
            "GET, etc.",
        ),
        Column(
            "headers",
            STRING,
            NULLABLE,
            "If the delivery is an outgoing webhook, these are the headers included with the "
            "webhook.",
            personal=True,
            note="The seeds give no format: the text is sent as the source holds it.",
        ),
    ),
    row_key=("delivery_id",),
    entity_key=("delivery_id",),
    newest_by=None,
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="delivery_content",
    joins=("people",),
    rows_per_file=50_000,
    time_column=None,
)

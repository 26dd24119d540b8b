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
            "The delivery that had this content.",
            references="deliveries",
        ),
        workspace("delivery"),
        Column(
            "type",
            STRING,
            REQUIRED,
            "Channel: email, in-app, push, sms or webhook.",
            note="The seeds leave out `slack`, a type of deliveries, which occurs here too.",
        ),
        Column(
            "campaign_id",
            INTEGER,
            NULLABLE,
            "The campaign behind it; null for newsletters.",
        ),
        Column(
            "action_id",
            INTEGER,
            NULLABLE,
            "The campaign's workflow item behind it; null for newsletters.",
        ),
        Column(
            "newsletter_id",
            INTEGER,
            NULLABLE,
            "The newsletter behind it; null for campaigns.",
        ),
        Column(
            "content_id",
            INTEGER,
            NULLABLE,
            "Which variant of the newsletter, by A/B test or language, counted from 0; 0 if it "
            "has only one.",
            note="An index of its own, not the `content_id` of deliveries; null for campaigns.",
            v4=V4(
                description="Which variant of the newsletter's A/B test, counted from 0; 0 "
                "if there was no test."
            ),
        ),
        Column(
            "from",
            STRING,
            NULLABLE,
            "Sender's address of an email.",
        ),
        Column(
            "reply_to",
            STRING,
            NULLABLE,
            "Where answers to an email go.",
            personal=True,
        ),
        Column(
            "bcc",
            STRING,
            NULLABLE,
            "Address that an email's blind copy goes to.",
            personal=True,
        ),
        Column(
            "recipient",
            STRING,
            REQUIRED,
            "Whom it was sent to: an email address, a phone number for SMS, a device ID for push.",
            personal=True,
        ),
        Column(
            "subject",
            STRING,
            NULLABLE,
            "Subject line, if it has one; every email is meant to.",
            personal=True,
            note="Nullable for the file, emails included: nothing enforces a subject.",
        ),
        Column(
            "body",
            STRING,
            REQUIRED,
            "The body, an email's with all its HTML.",
            personal=True,
        ),
        Column(
            "body_amp",
            STRING,
            NULLABLE,
            "HTML body of an email with its AMP scripts.",
            personal=True,
        ),
        Column(
            "body_plain",
            STRING,
            NULLABLE,
            "Text of an email without HTML or AMP; mostly null, unless somebody wrote or "
            "changed the plain-text version.",
            personal=True,
            note="Nullable in v5, Required in v4, where a message without a plain-text version "
            "has the empty string.",
            v4=V4(
                presence=REQUIRED,
                description="Text of the message; an email's without HTML or AMP.",
            ),
        ),
        Column(
            "preheader",
            STRING,
            NULLABLE,
            "Preview text, which an inbox shows beside or below the subject.",
            personal=True,
        ),
        Column(
            "url",
            STRING,
            NULLABLE,
            "Where an outgoing webhook was sent.",
            personal=True,
        ),
        Column(
            "method",
            STRING,
            NULLABLE,
            "HTTP method of an outgoing webhook, such as POST.",
        ),
        Column(
            "headers",
            STRING,
            NULLABLE,
            "HTTP headers of an outgoing webhook.",
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

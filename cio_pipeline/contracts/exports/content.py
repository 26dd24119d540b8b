"""Delivery content: what deliveries said."""

from cio_pipeline.contracts.declare import V4, Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    REQUIRED,
    column,
    workspace,
)

DELIVERY_CONTENT = Export(
    name="delivery_content",
    stem="delivery_content",
    title="Delivery content",
    description="The contents of messages, one row a delivery. Content of a campaign has campaign "
    "and action IDs and null newsletter and content IDs; content of a newsletter the other way "
    "round. It may come a window later than its delivery, and may be very large.",
    columns=(
        column("delivery_id: str", "The delivery that had this content.", references="deliveries"),
        workspace("delivery"),
        column(
            "type: str",
            "Channel: email, in-app, push, sms or webhook.",
            note="The seeds leave out `slack`, a type of deliveries, which occurs here too.",
        ),
        column("campaign_id: int, nullable", "The campaign behind it; null for newsletters."),
        column(
            "action_id: int, nullable",
            "The campaign's workflow item behind it; null for newsletters.",
        ),
        column("newsletter_id: int, nullable", "The newsletter behind it; null for campaigns."),
        column(
            "content_id: int, nullable",
            "Which variant of the newsletter, by A/B test or language, counted from 0; 0 if it "
            "has only one.",
            note="An index of its own, not the `content_id` of deliveries; null for campaigns.",
            v4=V4(
                description="Which variant of the newsletter's A/B test, counted from 0; 0 "
                "if there was no test."
            ),
        ),
        column("from: str, nullable", "Sender's address of an email."),
        column("reply_to: str, nullable", "Where answers to an email go.", personal=True),
        column("bcc: str, nullable", "Address that an email's blind copy goes to.", personal=True),
        column(
            "recipient: str",
            "Whom it was sent to: an email address, a phone number for SMS, a device ID for push.",
            personal=True,
        ),
        column(
            "subject: str, nullable",
            "Subject line, if it has one; every email is meant to.",
            personal=True,
            note="Nullable for the file, emails included: nothing enforces a subject.",
        ),
        column("body: str", "The body, an email's with all its HTML.", personal=True),
        column(
            "body_amp: str, nullable", "HTML body of an email with its AMP scripts.", personal=True
        ),
        column(
            "body_plain: str, nullable",
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
        column(
            "preheader: str, nullable",
            "Preview text, which an inbox shows beside or below the subject.",
            personal=True,
        ),
        column("url: str, nullable", "Where an outgoing webhook was sent.", personal=True),
        column("method: str, nullable", "HTTP method of an outgoing webhook, such as POST."),
        column(
            "headers: str, nullable",
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

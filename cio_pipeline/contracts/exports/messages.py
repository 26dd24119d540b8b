"""Deliveries: messages sent to people."""

from cio_pipeline.contracts.declare import V4, Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    INTEGER,
    NULLABLE,
    REQUIRED,
    SEQ_NUM,
    STRING,
    TIMESTAMP,
    person,
    workspace,
)

_TRIGGERING_EVENT = "For event-triggered campaigns, the event that started the journey"

DELIVERIES = Export(
    name="deliveries",
    stem="deliveries",
    title="Deliveries",
    description="Messages that a workspace sent by email, SMS, push, in-app, Slack or webhook. The "
    "first files hold all history, later ones the rows that changed.",
    columns=(
        workspace("delivery"),
        Column("delivery_id", STRING, REQUIRED, "The delivery, the same in all its rows."),
        person(NULLABLE),
        Column(
            "subject_id",
            STRING,
            NULLABLE,
            "For campaigns and API-triggered broadcasts, the journey: a `subject_name` of "
            "subjects.",
            references="subjects",
        ),
        Column(
            "event_id",
            STRING,
            NULLABLE,
            f"{_TRIGGERING_EVENT}: the `event_id` of subjects, not of metrics.",
            references="subjects",
            note="The seeds contradict each other: v5 refers to the `event_id` of subjects, v4 to "
            "metrics. It is the event that triggered the journey, the same as in subjects, in "
            "both versions; nothing is enforced.",
            v4=V4(references="metrics", description=f"{_TRIGGERING_EVENT}."),
        ),
        Column(
            "delivery_type",
            STRING,
            REQUIRED,
            "Channel: email, sms, push, in-app, slack or webhook.",
        ),
        Column(
            "campaign_id",
            INTEGER,
            NULLABLE,
            "The campaign or API-triggered broadcast behind it.",
        ),
        Column(
            "action_id",
            INTEGER,
            NULLABLE,
            "The workflow item that made it.",
        ),
        Column(
            "newsletter_id",
            INTEGER,
            NULLABLE,
            "The newsletter that it carries.",
        ),
        Column(
            "content_id",
            INTEGER,
            NULLABLE,
            "The variant of a newsletter's split test.",
            note="Not the `content_id` of delivery_content, which is a 0-based index.",
        ),
        Column(
            "trigger_id",
            INTEGER,
            NULLABLE,
            "For API-triggered broadcasts, the API call that set it off.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "When the delivery was created."),
        Column(
            "transactional_message_id",
            INTEGER,
            NULLABLE,
            "For transactional messages, the API call that asked for it.",
        ),
        SEQ_NUM,
    ),
    row_key=("delivery_id", "seq_num"),
    entity_key=("delivery_id",),
    newest_by="seq_num",
    history=History.ALL,
    afterwards=Afterwards.CHANGED_ROWS,
    source="deliveries",
    joins=("people",),
    rows_per_file=2_000_000,
    time_column="created_at",
)

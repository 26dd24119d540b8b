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

_FROM_WORKFLOW = (
    "If the delivery was created as part of a Campaign or API Triggered Broadcast workflow, this "
)
_TRIGGERING_EVENT = (
    "If the delivery was created as part of an event-triggered Campaign, this is the ID for the "
    "unique event that triggered the workflow."
)

DELIVERIES = Export(
    name="deliveries",
    stem="deliveries",
    title="Deliveries",
    description="Individual email, in-app, push, SMS, Slack and webhook records sent from a "
    "workspace. The first files hold all history, later ones the rows that changed.",
    columns=(
        workspace("associated with the delivery record"),
        Column("delivery_id", STRING, REQUIRED, "The ID of the delivery record."),
        person(NULLABLE),
        Column(
            "subject_id",
            STRING,
            NULLABLE,
            _FROM_WORKFLOW + "is the ID for the path the person went through in the workflow. "
            "This value refers to, and is the same as, the `subject_name` in the subjects table.",
            references="subjects",
        ),
        Column(
            "event_id",
            STRING,
            NULLABLE,
            _TRIGGERING_EVENT + " Note that this is a foreign key for the subjects table, and not "
            "the metrics table.",
            references="subjects",
            note="The seeds contradict each other: v5 refers to the `event_id` of subjects, v4 to "
            "metrics. It is the event that triggered the journey, the same as in subjects, in "
            "both versions; nothing is enforced.",
            v4=V4(references="metrics", description=_TRIGGERING_EVENT),
        ),
        Column(
            "delivery_type",
            STRING,
            REQUIRED,
            "The type of delivery: email, push, in-app, sms, slack, or webhook.",
        ),
        Column(
            "campaign_id",
            INTEGER,
            NULLABLE,
            _FROM_WORKFLOW + "is the ID for the Campaign or API Triggered Broadcast.",
        ),
        Column(
            "action_id",
            INTEGER,
            NULLABLE,
            _FROM_WORKFLOW + "is the ID for the unique workflow item that caused the delivery to "
            "be created.",
        ),
        Column(
            "newsletter_id",
            INTEGER,
            NULLABLE,
            "If the delivery was created as part of a Newsletter, this is the unique ID of that "
            "Newsletter.",
        ),
        Column(
            "content_id",
            INTEGER,
            NULLABLE,
            "If the delivery was created as part of a Newsletter split test, this is the unique "
            "ID of the Newsletter variant.",
            note="Not the `content_id` of delivery_content, which is a 0-based index.",
        ),
        Column(
            "trigger_id",
            INTEGER,
            NULLABLE,
            "If the delivery was created as part of an API Triggered Broadcast, this is the "
            "unique trigger ID associated with the API call that triggered the broadcast.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "The timestamp the delivery was created at."),
        Column(
            "transactional_message_id",
            INTEGER,
            NULLABLE,
            "If the delivery occurred as a part of a transactional message, this is the unique "
            "identifier for the API call that triggered the message.",
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

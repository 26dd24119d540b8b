"""Deliveries: messages sent to people."""

from cio_pipeline.contracts.declare import V4, Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    NULLABLE,
    SEQ_NUM,
    column,
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
        column("delivery_id: str", "The delivery, the same in all its rows."),
        person(NULLABLE),
        column(
            "subject_id: str, nullable",
            "For campaigns and API-triggered broadcasts, the journey: a `subject_name` of "
            "subjects.",
            references="subjects",
        ),
        column(
            "event_id: str, nullable",
            f"{_TRIGGERING_EVENT}: the `event_id` of subjects, not of metrics.",
            references="subjects",
            note="The seeds contradict each other: v5 refers to the `event_id` of subjects, v4 to "
            "metrics. It is the event that triggered the journey, the same as in subjects, in "
            "both versions; nothing is enforced.",
            v4=V4(references="metrics", description=f"{_TRIGGERING_EVENT}."),
        ),
        column("delivery_type: str", "Channel: email, sms, push, in-app, slack or webhook."),
        column("campaign_id: int, nullable", "The campaign or API-triggered broadcast behind it."),
        column("action_id: int, nullable", "The workflow item that made it."),
        column("newsletter_id: int, nullable", "The newsletter that it carries."),
        column(
            "content_id: int, nullable",
            "The variant of a newsletter's split test.",
            note="Not the `content_id` of delivery_content, which is a 0-based index.",
        ),
        column(
            "trigger_id: int, nullable",
            "For API-triggered broadcasts, the API call that set it off.",
        ),
        column("created_at: time", "When the delivery was created."),
        column(
            "transactional_message_id: int, nullable",
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

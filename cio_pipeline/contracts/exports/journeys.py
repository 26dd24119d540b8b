"""Journeys of people through campaigns, and their steps."""

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    BOOLEAN,
    INTEGER,
    NULLABLE,
    OPTIONAL,
    REQUIRED,
    SEQ_NUM,
    STRING,
    TIMESTAMP,
    person,
    workspace,
)

_FROM_STEP = "If a delivery resulted from this step of the workflow, this "
_SEGMENT_STEP = "If the step of the workflow was a Manual Segment Update, this "

OUTPUTS = Export(
    name="outputs",
    stem="outputs",
    title="Outputs",
    description="The unique steps within each workflow journey. The first files hold all history, "
    "later ones the rows that changed.",
    columns=(
        workspace("associated with the output record"),
        Column(
            "output_id",
            STRING,
            REQUIRED,
            "The ID for the step of the unique path a person went through in a Campaign or API "
            "Triggered Broadcast workflow.",
        ),
        Column(
            "subject_name",
            STRING,
            REQUIRED,
            "A secondary unique ID for the path a person took through a campaign or broadcast "
            "workflow.",
            references="subjects",
        ),
        Column(
            "output_type",
            STRING,
            REQUIRED,
            "The type of step a person went through in a Campaign or API Triggered Broadcast "
            'workflow. Note that the "delay" output_type covers many use cases: a Time Delay or '
            'Time Window workflow item, a "grace period", or a date-based campaign trigger.',
        ),
        Column(
            "action_id",
            INTEGER,
            REQUIRED,
            "The ID for the unique workflow item associated with the output.",
        ),
        Column(
            "explanation",
            STRING,
            REQUIRED,
            "The explanation for the output.",
            personal=True,
        ),
        Column(
            "delivery_id",
            STRING,
            NULLABLE,
            _FROM_STEP + "is the ID of that delivery.",
            references="deliveries",
        ),
        Column(
            "draft",
            BOOLEAN,
            NULLABLE,
            _FROM_STEP + "indicates whether the delivery was created as a draft.",
        ),
        Column(
            "link_tracked",
            BOOLEAN,
            NULLABLE,
            _FROM_STEP + "indicates whether links within the delivery are configured for tracking.",
        ),
        Column(
            "split_test_index",
            INTEGER,
            NULLABLE,
            "If the step of the workflow was a Split Test, this indicates the variant of the "
            "Split Test.",
        ),
        Column(
            "delay_ends_at",
            TIMESTAMP,
            NULLABLE,
            "If the step of the workflow involves a delay, this is the timestamp for when the "
            "delay will end.",
        ),
        Column(
            "branch_index",
            INTEGER,
            NULLABLE,
            "If the step of the workflow was a T/F Branch, a Multi-Split Branch, or a Random "
            "Cohort Branch, this indicates the branch that was followed.",
        ),
        Column(
            "manual_segment_id",
            INTEGER,
            NULLABLE,
            _SEGMENT_STEP + "is the ID of the Manual Segment involved.",
        ),
        Column(
            "add_to_manual_segment",
            BOOLEAN,
            NULLABLE,
            _SEGMENT_STEP + "indicates whether a person was added or removed from the Manual "
            "Segment involved.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "The timestamp the output was created at."),
        SEQ_NUM,
    ),
    row_key=("output_id", "seq_num"),
    entity_key=("output_id",),
    newest_by="seq_num",
    history=History.ALL,
    afterwards=Afterwards.CHANGED_ROWS,
    source="outputs",
    joins=("people",),
    rows_per_file=2_000_000,
    time_column="created_at",
)

SUBJECTS = Export(
    name="subjects",
    stem="subjects",
    title="Subjects",
    description="The unique workflow journeys that people take through Campaigns and API Triggered "
    "Broadcasts. The first files hold all history, later ones the rows that changed.",
    columns=(
        workspace("associated with the subject record"),
        Column(
            "subject_name",
            STRING,
            REQUIRED,
            "A unique ID for the path a person took through a campaign or broadcast workflow.",
            note="The same as the `subject_id` of deliveries.",
        ),
        person(NULLABLE),
        Column(
            "campaign_type",
            STRING,
            REQUIRED,
            "The type of Campaign (segment, event, or triggered_broadcast).",
        ),
        Column(
            "campaign_id", INTEGER, REQUIRED, "The ID of the Campaign or API Triggered Broadcast."
        ),
        Column(
            "event_id",
            STRING,
            NULLABLE,
            "The ID for the unique event that triggered the workflow.",
            references="metrics",
            note="The seeds name metrics here, yet say of the same value in deliveries that it is "
            "not a key of metrics. It is the event that triggered the journey; nothing is "
            "enforced.",
        ),
        Column(
            "trigger_id",
            INTEGER,
            OPTIONAL,
            "If the delivery was created as part of an API Triggered Broadcast, this is the "
            "unique trigger ID associated with the API call that triggered the broadcast.",
        ),
        Column(
            "started_campaign_at",
            TIMESTAMP,
            REQUIRED,
            "The timestamp when the person first matched the campaign trigger. For "
            "event-triggered campaigns, this is the timestamp of the trigger event. For "
            "segment-triggered campaigns, this is the time the user entered the segment.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "The timestamp the subject was created at."),
        SEQ_NUM,
    ),
    row_key=("subject_name", "seq_num"),
    entity_key=("subject_name",),
    newest_by="seq_num",
    history=History.ALL,
    afterwards=Afterwards.CHANGED_ROWS,
    source="subjects",
    joins=("people",),
    rows_per_file=2_000_000,
    time_column="created_at",
)

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

OUTPUTS = Export(
    name="outputs",
    stem="outputs",
    title="Outputs",
    description="Steps of people's journeys through workflows. The first files hold all history, "
    "later ones the rows that changed.",
    columns=(
        workspace("step"),
        Column(
            "output_id",
            STRING,
            REQUIRED,
            "One step on one person's way through a campaign or API-triggered broadcast.",
        ),
        Column(
            "subject_name",
            STRING,
            REQUIRED,
            "The journey that the step belongs to.",
            references="subjects",
        ),
        Column(
            "output_type",
            STRING,
            REQUIRED,
            "Kind of step. A `delay` may be a time delay, a time window, a grace period, or "
            "the wait for a date that triggers the campaign.",
        ),
        Column(
            "action_id",
            INTEGER,
            REQUIRED,
            "The workflow item that made the step.",
        ),
        Column(
            "explanation",
            STRING,
            REQUIRED,
            "What happened, in words.",
            personal=True,
        ),
        Column(
            "delivery_id",
            STRING,
            NULLABLE,
            "The delivery that the step made, if it made one.",
            references="deliveries",
        ),
        Column(
            "draft",
            BOOLEAN,
            NULLABLE,
            "Whether that delivery was made as a draft; null without one.",
        ),
        Column(
            "link_tracked",
            BOOLEAN,
            NULLABLE,
            "Whether links in that delivery are tracked; null without one.",
        ),
        Column(
            "split_test_index",
            INTEGER,
            NULLABLE,
            "At a split test, the variant taken.",
        ),
        Column(
            "delay_ends_at",
            TIMESTAMP,
            NULLABLE,
            "At a delay, when it ends.",
        ),
        Column(
            "branch_index",
            INTEGER,
            NULLABLE,
            "At a T/F, multi-split or random cohort branch, the branch taken.",
        ),
        Column(
            "manual_segment_id",
            INTEGER,
            NULLABLE,
            "At an update of a manual segment, which segment.",
        ),
        Column(
            "add_to_manual_segment",
            BOOLEAN,
            NULLABLE,
            "At an update of a manual segment, true if the person was put into it and false if "
            "taken out.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "When the step was made."),
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
    description="Journeys of people through campaigns and API-triggered broadcasts. The first "
    "files hold all history, later ones the rows that changed.",
    columns=(
        workspace("journey"),
        Column(
            "subject_name",
            STRING,
            REQUIRED,
            "One person's journey through a campaign or broadcast.",
            note="The same as the `subject_id` of deliveries.",
        ),
        person(NULLABLE),
        Column(
            "campaign_type",
            STRING,
            REQUIRED,
            "Kind of campaign: `event`, `segment` or `triggered_broadcast`.",
        ),
        Column("campaign_id", INTEGER, REQUIRED, "Which campaign or API-triggered broadcast."),
        Column(
            "event_id",
            STRING,
            NULLABLE,
            "The event that started the journey, if one did.",
            references="metrics",
            note="The seeds name metrics here, yet say of the same value in deliveries that it is "
            "not a key of metrics. It is the event that triggered the journey; nothing is "
            "enforced.",
        ),
        Column(
            "trigger_id",
            INTEGER,
            OPTIONAL,
            "For API-triggered broadcasts, the API call that set it off.",
        ),
        Column(
            "started_campaign_at",
            TIMESTAMP,
            REQUIRED,
            "When the person first met the trigger: the time of the triggering event, or of "
            "entering the segment.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "When the journey was created."),
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

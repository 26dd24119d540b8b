"""Journeys of people through campaigns, and their steps."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    NULLABLE,
    SEQ_NUM,
    column,
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
        column(
            "output_id: str",
            "One step on one person's way through a campaign or API-triggered broadcast.",
        ),
        column("subject_name: str", "The journey that the step belongs to.", references="subjects"),
        column(
            "output_type: str",
            "Kind of step. A `delay` may be a time delay, a time window, a grace period, or "
            "the wait for a date that triggers the campaign.",
        ),
        column("action_id: int", "The workflow item that made the step."),
        column("explanation: str", "What happened, in words.", personal=True),
        column(
            "delivery_id: str, nullable",
            "The delivery that the step made, if it made one.",
            references="deliveries",
        ),
        column(
            "draft: bool, nullable", "Whether that delivery was made as a draft; null without one."
        ),
        column(
            "link_tracked: bool, nullable",
            "Whether links in that delivery are tracked; null without one.",
        ),
        column("split_test_index: int, nullable", "At a split test, the variant taken."),
        column("delay_ends_at: time, nullable", "At a delay, when it ends."),
        column(
            "branch_index: int, nullable",
            "At a T/F, multi-split or random cohort branch, the branch taken.",
        ),
        column(
            "manual_segment_id: int, nullable", "At an update of a manual segment, which segment."
        ),
        column(
            "add_to_manual_segment: bool, nullable",
            "At an update of a manual segment, true if the person was put into it and false if "
            "taken out.",
        ),
        column("created_at: time", "When the step was made."),
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
        column(
            "subject_name: str",
            "One person's journey through a campaign or broadcast.",
            note="The same as the `subject_id` of deliveries.",
        ),
        person(NULLABLE),
        column(
            "campaign_type: str", "Kind of campaign: `event`, `segment` or `triggered_broadcast`."
        ),
        column("campaign_id: int", "Which campaign or API-triggered broadcast."),
        column(
            "event_id: str, nullable",
            "The event that started the journey, if one did.",
            references="metrics",
            note="The seeds name metrics here, yet say of the same value in deliveries that it is "
            "not a key of metrics. It is the event that triggered the journey; nothing is "
            "enforced.",
        ),
        column(
            "trigger_id: int, optional",
            "For API-triggered broadcasts, the API call that set it off.",
        ),
        column(
            "started_campaign_at: time",
            "When the person first met the trigger: the time of the triggering event, or of "
            "entering the segment.",
        ),
        column("created_at: time", "When the journey was created."),
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

"""Journeys of people through campaigns, and their steps."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import PERSON_OR_NONE, SEQ, columns

SUBJECTS = SourceTable(
    "subjects",
    TableKind.MUTABLE,
    ("workspace_id", "subject_name"),
    "seq_num",
    columns(
        ("subject_name", "str", "The journey of one person through one campaign."),
        PERSON_OR_NONE,
        ("campaign_type", "str", "segment, event or triggered_broadcast."),
        ("campaign_id", "int", "The campaign or API-triggered broadcast."),
        ("event_id", "str?", "The event that triggered the journey."),
        ("trigger_id", "int?", "The API call that set off the broadcast."),
        ("started_campaign_at", "time", "When the person first matched the trigger."),
        ("created_at", "time", "When the journey was created."),
        SEQ,
    ),
    "Journeys of people through campaigns and API-triggered broadcasts.",
)

OUTPUTS = SourceTable(
    "outputs",
    TableKind.MUTABLE,
    ("workspace_id", "output_id"),
    "seq_num",
    columns(
        ("output_id", "str", "One step of one journey."),
        PERSON_OR_NONE,
        ("subject_name", "str", "The journey."),
        ("output_type", "str", "The kind of step."),
        ("action_id", "int", "The workflow item."),
        ("explanation", "str", "What happened, in words."),
        ("delivery_id", "str?", "The delivery that resulted."),
        ("draft", "bool?", "Whether the delivery was a draft."),
        ("link_tracked", "bool?", "Whether its links are tracked."),
        ("split_test_index", "int?", "Variant of a split test."),
        ("delay_ends_at", "time?", "When a delay ends."),
        ("branch_index", "int?", "Branch that was taken."),
        ("manual_segment_id", "int?", "Manual segment that was updated."),
        ("add_to_manual_segment", "bool?", "Added to it, or removed."),
        ("created_at", "time", "When the step was made."),
        SEQ,
    ),
    "Steps of journeys, in their current state.",
)

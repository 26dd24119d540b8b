"""Campaigns, their actions, and newsletters: a row an update."""

from cio_pipeline.contracts.declare import SourceTable, TableKind
from cio_pipeline.contracts.tables.shared_columns import columns

_TOPICS = ("topic_names", "strs?", "Subscription topics; null or empty if there are none.")
_EDITED = (
    ("created_at", "time", "When it was created."),
    ("updated_at", "time", "When this update was made."),
)

CAMPAIGNS = SourceTable(
    "campaigns",
    TableKind.APPEND_ONLY,
    ("workspace_id", "campaign_id", "version", "updated_at"),
    None,
    columns(
        ("campaign_id", "int", "The campaign or API-triggered broadcast."),
        ("version", "int", "Grows from 1 with each update of name, trigger or goal."),
        ("name", "str", "The campaign's name."),
        *_EDITED,
        _TOPICS,
    ),
    "One row an update of a campaign.",
)

ACTIONS = SourceTable(
    "actions",
    TableKind.APPEND_ONLY,
    ("workspace_id", "campaign_id", "action_id", "version", "updated_at"),
    None,
    columns(
        ("campaign_id", "int", "The campaign."),
        ("action_id", "int", "The workflow item."),
        ("version", "int", "Grows from 1 with each update of the action."),
        ("name", "str?", "The action's name; null or empty if it has none."),
        *_EDITED,
        _TOPICS,
    ),
    "One row an update of a workflow item.",
)

BROADCASTS = SourceTable(
    "broadcasts",
    TableKind.APPEND_ONLY,
    ("workspace_id", "broadcast_id", "updated_at"),
    None,
    columns(
        ("broadcast_id", "int", "The newsletter."),
        ("name", "str", "Its name."),
        *_EDITED,
        _TOPICS,
    ),
    "One row an update of a newsletter.",
)

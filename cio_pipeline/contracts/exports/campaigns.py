"""Campaigns, their actions, and broadcasts: metadata, one row an update, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    MILLISECONDS,
    TOPIC_NAMES,
    column,
    workspace,
)

CAMPAIGN_METADATA = "campaign_metadata"
"""The switch that campaigns and actions share."""

CAMPAIGNS = Export(
    name="campaigns",
    stem="campaigns",
    title="Campaigns",
    description="Names and versions of campaigns and API-triggered broadcasts, one row an update; "
    "newsletters are in broadcasts. Shares the switch `campaign_metadata` with actions.",
    columns=(
        workspace("campaign"),
        column(
            "campaign_id: int",
            "Which campaign or API-triggered broadcast; newsletters are in broadcasts and have "
            "a `broadcast_id` instead.",
        ),
        column("name: str", "Its name, as given by whoever made it."),
        column("created_at: time", "When it was made, activated or not.", note=MILLISECONDS),
        column("updated_at: time", "When this update was made.", note=MILLISECONDS),
        column(
            "version: int",
            "Counts from 1 and grows with each change of name, trigger or goal; the largest is "
            "current. Messages and other steps have versions of their own, in actions.",
            note="Every update is a row, also one that leaves the version; the newest row is the "
            "one of the largest `updated_at`.",
        ),
        TOPIC_NAMES,
    ),
    row_key=("campaign_id", "version", "updated_at"),
    entity_key=("campaign_id",),
    newest_by="updated_at",
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="campaigns",
    joins=(),
    rows_per_file=2_000_000,
    time_column="updated_at",
    since=5,
    together=CAMPAIGN_METADATA,
)

ACTIONS = Export(
    name="actions",
    stem="campaign_actions",
    title="Actions",
    description="Names and versions of the workflow steps of campaigns, one row an update. Shares "
    "the switch `campaign_metadata` with campaigns.",
    columns=(
        workspace("workflow action"),
        column("campaign_id: int", "The campaign that it is a step of.", references="campaigns"),
        column("action_id: int", "Which step of the workflow."),
        column(
            "name: str, optional",
            "Name of the step, if somebody gave it one.",
            note="An unnamed action has null, not the empty string.",
        ),
        column("created_at: time", "When the step was made.", note=MILLISECONDS),
        column("updated_at: time", "When this update of the step was made.", note=MILLISECONDS),
        column(
            "version: int",
            "Counts from 1 for each action and grows with every change of its name, content or "
            "settings; the largest is current.",
        ),
        TOPIC_NAMES,
    ),
    row_key=("campaign_id", "action_id", "version", "updated_at"),
    entity_key=("campaign_id", "action_id"),
    newest_by="updated_at",
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="actions",
    joins=(),
    rows_per_file=2_000_000,
    time_column="updated_at",
    since=5,
    together=CAMPAIGN_METADATA,
)

BROADCASTS = Export(
    name="broadcasts",
    stem="broadcasts",
    title="Broadcasts",
    description="Information about newsletters, one row an update. API-triggered broadcasts are in "
    "campaigns, so that the two may share an ID.",
    columns=(
        workspace("broadcast"),
        column(
            "broadcast_id: int",
            "Which newsletter; API-triggered broadcasts are in campaigns and have a "
            "`campaign_id` instead.",
        ),
        column("name: str", "Its name, as given by whoever made it."),
        column("created_at: time", "When it was made, activated or not.", note=MILLISECONDS),
        column("updated_at: time", "When this update was made.", note=MILLISECONDS),
        TOPIC_NAMES,
    ),
    row_key=("broadcast_id", "updated_at"),
    entity_key=("broadcast_id",),
    newest_by="updated_at",
    history=History.ALL,
    afterwards=Afterwards.NEW_ROWS,
    source="broadcasts",
    joins=(),
    rows_per_file=2_000_000,
    time_column="updated_at",
    since=5,
)

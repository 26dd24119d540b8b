"""Campaigns, their actions, and broadcasts: metadata, one row an update, v5 only."""

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    INTEGER,
    MILLISECONDS,
    OPTIONAL,
    REQUIRED,
    STRING,
    TIMESTAMP,
    TOPIC_NAMES,
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
        workspace("containing the campaign"),
        Column(
            "campaign_id",
            INTEGER,
            REQUIRED,
            "The ID of the campaign or API-triggered broadcast. Note that newsletters appear in "
            "the Broadcasts schema with a `broadcast_id`, not here.",
        ),
        Column(
            "name",
            STRING,
            REQUIRED,
            "The name of a campaign. You set this when you create your campaign.",
        ),
        Column(
            "created_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when you created the campaign. You can create "
            "campaigns without activating them!",
            note=MILLISECONDS,
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when a campaign was last updated.",
            note=MILLISECONDS,
        ),
        Column(
            "version",
            INTEGER,
            REQUIRED,
            'An incrementing number starting at 1 representing the "version" of the campaign. The '
            "largest version number represents the latest version of the campaign. Versions "
            "increment when you change the name, trigger, or goal of a campaign. See the Actions "
            "table for changes to messages and other items in your campaign workflow.",
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
        workspace("containing the workflow action"),
        Column(
            "campaign_id",
            INTEGER,
            REQUIRED,
            "The ID of the campaign containing the action.",
            references="campaigns",
        ),
        Column("action_id", INTEGER, REQUIRED, "The ID of the action."),
        Column(
            "name",
            STRING,
            OPTIONAL,
            "The name of a workflow action. You set this when you create or edit your action. If "
            "you didn't set a name for the action, this field is empty.",
            note="An unnamed action has null, not the empty string.",
        ),
        Column(
            "created_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when you created the workflow action.",
            note=MILLISECONDS,
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when a workflow action was last updated.",
            note=MILLISECONDS,
        ),
        Column(
            "version",
            INTEGER,
            REQUIRED,
            'An incrementing number starting at 1 representing the "version" of the workflow '
            "action. The largest number for any action represents the latest version. The version "
            "changes whenever you update the name, content, or settings of your workflow action.",
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
        workspace("containing the broadcast"),
        Column(
            "broadcast_id",
            INTEGER,
            REQUIRED,
            "The ID of the newsletter. Note that API-triggered broadcasts appear in the Campaigns "
            "schema with a `campaign_id`, not here.",
        ),
        Column(
            "name",
            STRING,
            REQUIRED,
            "The name of a broadcast. You set this when you create your broadcast.",
        ),
        Column(
            "created_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when you created the broadcast. You can create "
            "broadcasts without activating them!",
            note=MILLISECONDS,
        ),
        Column(
            "updated_at",
            TIMESTAMP,
            REQUIRED,
            "The date-time (in milliseconds) when a broadcast was last updated.",
            note=MILLISECONDS,
        ),
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

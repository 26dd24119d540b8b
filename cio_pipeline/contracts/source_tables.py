"""The source tables that exports are computed from, declared once.

A row that concerns a person carries that person's `internal_customer_id`, also where the export
does not show it: anonymising (D4) then needs no other table than `people`.
"""

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable, TableKind

_TYPES = {
    "int": ColumnType.INTEGER,
    "str": ColumnType.STRING,
    "bool": ColumnType.BOOLEAN,
    "time": ColumnType.TIMESTAMP,
    "strs": ColumnType.STRINGS,
}


def _columns(*lines: tuple[str, str, str]) -> tuple[SourceColumn, ...]:
    """Columns from (name, type, description); a type that ends in `?` is nullable."""
    return tuple(
        SourceColumn(name, _TYPES[kind.removesuffix("?")], not kind.endswith("?"), text)
        for name, kind, text in (
            ("workspace_id", "int", "The workspace that owns the row."),
            *lines,
        )
    )


_PERSON = ("internal_customer_id", "str", "The person's `cio_id`; never changes.")
_PERSON_OR_NONE = (
    "internal_customer_id",
    "str?",
    "The `cio_id` of the person that the row concerns; null if it concerns nobody.",
)
_SEQ = ("seq_num", "int", "Grows with every change of the row.")

PEOPLE = SourceTable(
    "people",
    TableKind.MUTABLE,
    ("workspace_id", "internal_customer_id"),
    "updated_at",
    _columns(
        _PERSON,
        ("id", "str?", "The person's id, if it has one."),
        ("email", "str?", "The person's email address, if it has one."),
        ("added_at", "time", "When the person was added (`_created_in_customerio_at`)."),
        ("id_changed_at", "time?", "When `id` was last set or changed; null without an id."),
        ("updated_at", "time", "When the profile last changed."),
        ("deleted", "bool", "Whether the person was deleted."),
        ("suppressed", "bool", "Whether the person was suppressed."),
    ),
    "Everybody that a workspace has or had; deleted people stay, with `deleted` set.",
)

ATTRIBUTES = SourceTable(
    "attributes",
    TableKind.MUTABLE,
    ("workspace_id", "internal_customer_id", "attribute_name"),
    "timestamp",
    _columns(
        _PERSON,
        ("attribute_name", "str", "The top-level attribute."),
        ("attribute_value", "str?", "The whole value as JSON text; null once removed."),
        ("timestamp", "time", "When the attribute was last set or removed."),
    ),
    "The current value of each attribute of each person; removed ones stay with a null value.",
)

DELIVERIES = SourceTable(
    "deliveries",
    TableKind.MUTABLE,
    ("workspace_id", "delivery_id"),
    "seq_num",
    _columns(
        ("delivery_id", "str", "The delivery."),
        _PERSON_OR_NONE,
        ("subject_id", "str?", "The journey (`subjects.subject_name`), for campaigns."),
        ("event_id", "str?", "The event that triggered the journey."),
        ("delivery_type", "str", "email, push, in-app, sms, slack or webhook."),
        ("recipient", "str?", "Address, phone number or device; attributes SMS replies."),
        ("campaign_id", "int?", "The campaign or API-triggered broadcast."),
        ("action_id", "int?", "The workflow item."),
        ("newsletter_id", "int?", "The newsletter."),
        ("content_id", "int?", "The newsletter's variant."),
        ("trigger_id", "int?", "The API call that triggered the broadcast."),
        ("created_at", "time", "When the delivery was created."),
        ("transactional_message_id", "int?", "The transactional message."),
        _SEQ,
    ),
    "One row a message to one recipient, in its current state.",
)

DELIVERY_CONTENT = SourceTable(
    "delivery_content",
    TableKind.APPEND_ONLY,
    ("workspace_id", "delivery_id"),
    None,
    _columns(
        ("delivery_id", "str", "The delivery that this is the content of."),
        _PERSON_OR_NONE,
        ("type", "str", "email, sms, push, in-app, webhook or slack."),
        ("campaign_id", "int?", "The campaign; null for newsletters."),
        ("action_id", "int?", "The workflow item; null for newsletters."),
        ("newsletter_id", "int?", "The newsletter; null for campaign messages."),
        ("content_id", "int?", "0-based index of the newsletter's content; null for campaigns."),
        ("from", "str?", "From address."),
        ("reply_to", "str?", "Reply-to address."),
        ("bcc", "str?", "Blind copy address."),
        ("recipient", "str", "Address, phone number or device."),
        ("subject", "str?", "Subject line."),
        ("body", "str", "Body with all markup."),
        ("body_amp", "str?", "AMP body."),
        ("body_plain", "str?", "Plain-text body."),
        ("preheader", "str?", "Preview text."),
        ("url", "str?", "URL of a webhook."),
        ("method", "str?", "HTTP method of a webhook."),
        ("headers", "str?", "Headers of a webhook."),
    ),
    "What was sent, one row a delivery; may arrive after the delivery.",
)

METRICS = SourceTable(
    "metrics",
    TableKind.APPEND_ONLY,
    ("workspace_id", "event_id", "seq_num"),
    None,
    _columns(
        ("event_id", "str", "The metric event."),
        ("delivery_id", "str", "The delivery that it is about."),
        _PERSON_OR_NONE,
        ("channel", "str", "email, push, in-app, sms, slack or webhook."),
        ("metric", "str", "sent, delivered, opened, clicked, …"),
        ("reason", "str?", "Why, for certain metrics."),
        ("link_id", "int?", "The link that was clicked."),
        ("link_url", "str?", "Its URL, of any length."),
        ("created_at", "time", "When it happened."),
        _SEQ,
        ("proxied", "bool?", "An open through a proxy."),
        ("prefetched", "bool?", "An open by a prefetch."),
        ("machine", "bool?", "A click by a machine."),
        ("user_agent", "str?", "User agent."),
        ("email_client", "str?", "Email client."),
        ("inbox_domain", "str?", "Domain of the inbox."),
        ("inbox_provider", "str?", "Provider of the inbox."),
        ("mx_host", "str?", "MX host of the inbox."),
    ),
    "What happened to deliveries, one row an event.",
)

SUBJECTS = SourceTable(
    "subjects",
    TableKind.MUTABLE,
    ("workspace_id", "subject_name"),
    "seq_num",
    _columns(
        ("subject_name", "str", "The journey of one person through one campaign."),
        _PERSON_OR_NONE,
        ("campaign_type", "str", "segment, event or triggered_broadcast."),
        ("campaign_id", "int", "The campaign or API-triggered broadcast."),
        ("event_id", "str?", "The event that triggered the journey."),
        ("trigger_id", "int?", "The API call that triggered the broadcast."),
        ("started_campaign_at", "time", "When the person first matched the trigger."),
        ("created_at", "time", "When the journey was created."),
        _SEQ,
    ),
    "Journeys of people through campaigns and API-triggered broadcasts.",
)

OUTPUTS = SourceTable(
    "outputs",
    TableKind.MUTABLE,
    ("workspace_id", "output_id"),
    "seq_num",
    _columns(
        ("output_id", "str", "One step of one journey."),
        _PERSON_OR_NONE,
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
        _SEQ,
    ),
    "Steps of journeys, in their current state.",
)

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
    _columns(
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
    _columns(
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
    _columns(
        ("broadcast_id", "int", "The newsletter."),
        ("name", "str", "Its name."),
        *_EDITED,
        _TOPICS,
    ),
    "One row an update of a newsletter.",
)

_OBJECT = (
    ("object_type_id", "int", "The object's type, numbered from 1 in each workspace."),
    ("internal_object_id", "str", "The object; never changes."),
)

OBJECTS = SourceTable(
    "objects",
    TableKind.MUTABLE,
    ("workspace_id", "internal_object_id"),
    "updated_at",
    _columns(
        *_OBJECT,
        ("object_id", "str", "The id that people see."),
        ("deleted", "bool", "Whether it was deleted."),
        ("created_at", "time", "When it was added."),
        ("updated_at", "time", "When it last changed."),
    ),
    "Objects such as accounts; deleted ones stay with `deleted` set.",
)

OBJECT_TYPES = SourceTable(
    "object_types",
    TableKind.MUTABLE,
    ("workspace_id", "object_type_id"),
    "updated_at",
    _columns(
        ("object_type_id", "int", "The type, numbered from 1 in each workspace."),
        ("name", "str", "Its name, like Accounts."),
        ("slug", "str", "Its name in templates."),
        ("deleted", "bool", "Whether it was deleted."),
        ("enabled", "bool", "Whether it can be used."),
        ("updated_at", "time", "When it last changed."),
    ),
    "Types of objects.",
)

OBJECT_ATTRIBUTES = SourceTable(
    "object_attributes",
    TableKind.MUTABLE,
    ("workspace_id", "internal_object_id", "attribute_name"),
    "timestamp",
    _columns(
        *_OBJECT,
        ("attribute_name", "str", "The top-level attribute."),
        ("attribute_value", "str?", "The whole value as JSON text; null once removed."),
        ("timestamp", "time", "When the attribute was last set or removed."),
    ),
    "The current value of each attribute of each object.",
)

_RECEIVED = (
    ("timestamp", "time", "When it happened."),
    ("processed_at", "time", "When the platform processed it."),
)

EVENTS = SourceTable(
    "events",
    TableKind.APPEND_ONLY,
    ("workspace_id", "event_id"),
    None,
    _columns(
        ("event_id", "str", "The event."),
        _PERSON,
        ("name", "str", "Its name."),
        ("type", "str", "event, page or screen."),
        ("properties", "str?", "Its properties as a JSON object; null is `{}`."),
        *_RECEIVED,
        ("sources", "strs?", "Where it came from."),
        ("source_uas", "strs?", "User agents that it came from."),
    ),
    "What people did.",
)

INBOUND = SourceTable(
    "inbound",
    TableKind.APPEND_ONLY,
    ("workspace_id", "event_id"),
    None,
    _columns(
        ("event_id", "str", "The inbound message."),
        _PERSON,
        *_RECEIVED,
        ("channel", "str", "The channel, like sms."),
        ("from", "str", "Phone number of the person."),
        ("to", "str", "Phone number that was replied to."),
        ("body", "str", "The message."),
        ("keyword", "str?", "The keyword detected, if any."),
        ("optout", "bool", "Whether it asks to opt out."),
        ("messaging_service_sid", "str", "The provider's messaging service."),
        ("message_sid", "str", "The provider's message."),
    ),
    "SMS that people sent.",
)

SOURCE_TABLES = {
    table.name: table
    for table in (
        PEOPLE,
        ATTRIBUTES,
        DELIVERIES,
        DELIVERY_CONTENT,
        METRICS,
        SUBJECTS,
        OUTPUTS,
        CAMPAIGNS,
        ACTIONS,
        BROADCASTS,
        OBJECTS,
        OBJECT_TYPES,
        OBJECT_ATTRIBUTES,
        EVENTS,
        INBOUND,
    )
}
"""All source tables by name."""

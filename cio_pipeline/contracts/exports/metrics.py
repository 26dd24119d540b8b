"""Metrics: what happened to deliveries."""

from cio_pipeline.contracts.declare import Afterwards, Column, Export, History
from cio_pipeline.contracts.exports.words import (
    BOOLEAN,
    INTEGER,
    NULLABLE,
    REQUIRED,
    SEQ_NUM,
    STRING,
    TIMESTAMP,
    workspace,
)

_BARE_BOOLEAN = (
    "The seed gives no nullability; the column is REQUIRED and false wherever it does not apply."
)
_NOT_EMAIL = (
    "If this value isn't discernable, or the metric is not email related, this value is null."
)

METRICS = Export(
    name="metrics",
    stem="metrics",
    title="Metrics",
    description="Events relating to deliveries (messages sent, opened and so on). The first files "
    "hold all history and have two sequence numbers, later ones the rows that changed. A delivery "
    "may have several entries, also of one metric.",
    columns=(
        Column(
            "event_id",
            STRING,
            REQUIRED,
            "The unique ID of the metric event. This can be useful for deduplicating purposes.",
        ),
        workspace("associated with the metric record"),
        Column(
            "delivery_id",
            STRING,
            REQUIRED,
            "The ID of the delivery record.",
            references="deliveries",
        ),
        Column(
            "metric",
            STRING,
            REQUIRED,
            "The type of metric (e.g. sent, delivered, opened, clicked).",
        ),
        Column(
            "reason",
            STRING,
            NULLABLE,
            "For certain metrics (e.g. attempted), the reason behind the action.",
        ),
        Column(
            "link_id",
            INTEGER,
            NULLABLE,
            'For "clicked" metrics, the unique ID of the link being clicked.',
        ),
        Column(
            "link_url",
            STRING,
            NULLABLE,
            'For "clicked" metrics, the URL of the clicked link. (Truncated to 1000 bytes.)',
            personal=True,
            note="At most 1000 bytes of valid UTF-8: a character is never cut in two.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "The timestamp the metric was created at."),
        SEQ_NUM,
        Column(
            "proxied",
            BOOLEAN,
            REQUIRED,
            "For email `opened` metrics, this indicates that the open event originated from a "
            "proxy server. For other metrics, this is `false`.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "prefetched",
            BOOLEAN,
            REQUIRED,
            "For email `opened` metrics, this indicates that the metric was the result of "
            "prefetching and not necessarily a user action. For other metrics, this value is "
            "false.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "machine",
            BOOLEAN,
            REQUIRED,
            "For email `clicked` metrics, it means that the click event originated from a "
            "non-human, e.g. a security service or email-protection application clicked a link. "
            "For other metrics, this is `false`.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "user_agent",
            STRING,
            NULLABLE,
            "The user agent string of the person (or machine) who performed the action, where "
            "available. If we don't have a user agent string, this value is null.",
            personal=True,
            since=5,
        ),
        Column(
            "email_client",
            STRING,
            NULLABLE,
            "For email metrics, the email client related to the action; applies to metrics like "
            "opened, clicked, etc. For non email channels, this value is null.",
            personal=True,
            since=5,
        ),
        Column(
            "inbox_domain",
            STRING,
            NULLABLE,
            "For email metrics, the inbox domain of the person who performed the action. "
            + _NOT_EMAIL,
            personal=True,
            since=5,
        ),
        Column(
            "inbox_provider",
            STRING,
            NULLABLE,
            "For email metrics, the inbox provider of the person who performed the action. "
            + _NOT_EMAIL,
            personal=True,
            since=5,
        ),
        Column(
            "mx_host",
            STRING,
            NULLABLE,
            "For email metrics, this is the MX host of the inbox (e.g. mailhost1.example.com). "
            + _NOT_EMAIL,
            personal=True,
            since=5,
        ),
    ),
    row_key=("event_id", "seq_num"),
    entity_key=("event_id",),
    newest_by="seq_num",
    history=History.ALL,
    afterwards=Afterwards.CHANGED_ROWS,
    source="metrics",
    joins=("people",),
    rows_per_file=2_000_000,
    time_column="created_at",
)

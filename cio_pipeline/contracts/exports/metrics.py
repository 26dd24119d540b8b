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
_NOT_EMAIL = "null if unknown, or for other channels than email."

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
            "Identifies what happened; use it to drop duplicates.",
        ),
        workspace("delivery"),
        Column(
            "delivery_id",
            STRING,
            REQUIRED,
            "The delivery that it happened to.",
            references="deliveries",
        ),
        Column(
            "metric",
            STRING,
            REQUIRED,
            "What happened: sent, delivered, opened, clicked and so on.",
        ),
        Column(
            "reason",
            STRING,
            NULLABLE,
            "Why it happened, for some metrics such as attempted.",
            personal=True,
            note="Bounces quote the address that they are about, so it counts as personal.",
        ),
        Column(
            "link_id",
            INTEGER,
            NULLABLE,
            "For clicks, which link.",
        ),
        Column(
            "link_url",
            STRING,
            NULLABLE,
            "For clicks, the URL of the link, cut after 1000 bytes.",
            personal=True,
            note="At most 1000 bytes of valid UTF-8: a character is never cut in two.",
        ),
        Column("created_at", TIMESTAMP, REQUIRED, "When it happened."),
        SEQ_NUM,
        Column(
            "proxied",
            BOOLEAN,
            REQUIRED,
            "Whether an email was opened by a proxy server.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "prefetched",
            BOOLEAN,
            REQUIRED,
            "Whether an email was opened by prefetching, so perhaps by nobody.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "machine",
            BOOLEAN,
            REQUIRED,
            "Whether a click on an email came from software, such as a security scanner.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        Column(
            "user_agent",
            STRING,
            NULLABLE,
            "User agent of the person or machine that acted; null if unknown.",
            personal=True,
            since=5,
        ),
        Column(
            "email_client",
            STRING,
            NULLABLE,
            "Email client behind an open, a click and their like; null for other channels.",
            personal=True,
            since=5,
        ),
        Column(
            "inbox_domain",
            STRING,
            NULLABLE,
            f"Domain of the person's inbox; {_NOT_EMAIL}",
            personal=True,
            since=5,
        ),
        Column(
            "inbox_provider",
            STRING,
            NULLABLE,
            f"Provider of the person's inbox; {_NOT_EMAIL}",
            personal=True,
            since=5,
        ),
        Column(
            "mx_host",
            STRING,
            NULLABLE,
            f"MX host of the person's inbox, like `mx1.example.org`; {_NOT_EMAIL}",
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
    needs=("channel",),
)

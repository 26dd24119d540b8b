"""Metrics: what happened to deliveries."""

from cio_pipeline.contracts.declare import Afterwards, Export, History
from cio_pipeline.contracts.exports.shared_columns import (
    SEQ_NUM,
    column,
    workspace,
)

_BARE_BOOLEAN = (
    "The seed gives no nullability; the column is REQUIRED and false wherever it does not apply."
)
_NOT_EMAIL = "null if unknown, or for other channels than email."

METRICS = Export(
    name="metrics",
    stem="metrics",
    numbered_parts=True,
    title="Metrics",
    description="Events relating to deliveries (messages sent, opened and so on). The first files "
    "hold all history and have two sequence numbers, later ones the rows that changed. A delivery "
    "may have several entries, also of one metric.",
    columns=(
        column("event_id: str", "Identifies what happened; use it to drop duplicates."),
        workspace("delivery"),
        column("delivery_id: str", "The delivery that it happened to.", references="deliveries"),
        column("metric: str", "What happened: sent, delivered, opened, clicked and so on."),
        column(
            "reason: str, nullable",
            "Why it happened, for some metrics such as attempted.",
            personal=True,
            note="Bounces quote the address that they are about, so it counts as personal.",
        ),
        column("link_id: int, nullable", "For clicks, which link."),
        column(
            "link_url: str, nullable",
            "For clicks, the URL of the link, cut after 1000 bytes.",
            personal=True,
            note="At most 1000 bytes of valid UTF-8: a character is never cut in two.",
        ),
        column("created_at: time", "When it happened."),
        SEQ_NUM,
        column(
            "proxied: bool",
            "Whether an email was opened by a proxy server.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        column(
            "prefetched: bool",
            "Whether an email was opened by prefetching, so perhaps by nobody.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        column(
            "machine: bool",
            "Whether a click on an email came from software, such as a security scanner.",
            since=5,
            note=_BARE_BOOLEAN,
        ),
        column(
            "user_agent: str, nullable",
            "User agent of the person or machine that acted; null if unknown.",
            personal=True,
            since=5,
        ),
        column(
            "email_client: str, nullable",
            "Email client behind an open, a click and their like; null for other channels.",
            personal=True,
            since=5,
        ),
        column(
            "inbox_domain: str, nullable",
            f"Domain of the person's inbox; {_NOT_EMAIL}",
            personal=True,
            since=5,
        ),
        column(
            "inbox_provider: str, nullable",
            f"Provider of the person's inbox; {_NOT_EMAIL}",
            personal=True,
            since=5,
        ),
        column(
            "mx_host: str, nullable",
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

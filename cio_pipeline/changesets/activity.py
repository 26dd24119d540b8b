"""Rules of the exports about what people do: events and inbound messages (D3)."""

from datetime import timedelta

import polars as pl

from cio_pipeline.changesets.expressions import empty_list
from cio_pipeline.changesets.json_values import PROBLEM, json_object
from cio_pipeline.changesets.reading import Reading

REPLY_WITHIN = timedelta(hours=72)
"""An SMS is a reply to the latest delivery that is not older than this."""

_MESSAGE = ["workspace_id", "event_id"]
_CONVERSATION = ["workspace_id", "internal_customer_id", "recipient"]


def events(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """`data` are the properties alone, as they were written; null with a PROBLEM if no object."""
    none = pl.col("properties").is_null()
    value, problem = json_object("properties")
    return frame.with_columns(
        pl.when(none).then(pl.lit("{}")).otherwise(value).alias("data"),
        problem.alias(PROBLEM),
        pl.col("sources").fill_null(empty_list()),
        pl.col("source_uas").fill_null(empty_list()),
    )


def inbound(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """No keyword is the empty string; replies name the delivery that they answer."""
    rows = frame.with_columns(pl.col("keyword").fill_null(""))
    replies = _replies(rows, reading.join("deliveries"))
    return rows.join(replies, on=_MESSAGE, how="left", maintain_order="left")


def _replies(messages: pl.LazyFrame, deliveries: pl.LazyFrame) -> pl.LazyFrame:
    """Per inbound message that answers one, the latest SMS to that person and number.

    The messages are the small side: deliveries stream past them, and only their own are kept.
    """
    sms = deliveries.filter(pl.col("delivery_type") == "sms").select(
        *_CONVERSATION, "delivery_id", pl.col("created_at").alias("_sent_at")
    )
    asked = messages.select(
        *_MESSAGE, "internal_customer_id", pl.col("from").alias("recipient"), "timestamp"
    )
    received = pl.col("timestamp")
    latest = pl.col("delivery_id").max_by("_sent_at").alias("in_reply_to_delivery_id")
    return (
        sms.join(asked, on=_CONVERSATION, how="inner", build_side="prefer_right")
        .filter(pl.col("_sent_at").is_between(received - REPLY_WITHIN, received))
        .group_by(*_MESSAGE, "_sent_at")
        .agg(pl.col("delivery_id").max())
        .group_by(_MESSAGE)
        .agg(latest)
    )

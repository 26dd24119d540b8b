"""The rule of each export: how source rows get the contract's columns (D1, D3)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from cio_pipeline.changesets.json_values import PROBLEM, json_object, json_to_text
from cio_pipeline.changesets.reading import (
    LINK_URL_BYTES,
    Reading,
    Rule,
    as_they_are,
    blank,
    blank_to_null,
    empty_list,
    empty_to_null,
    first_bytes,
    flag,
    grown,
    hard_deleted,
    split,
    states,
)
from cio_pipeline.contracts.declare import CURRENT_VERSION

PERSON = ["workspace_id", "internal_customer_id"]
"""What tells people apart, in every source table that concerns them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_gone() -> pl.Expr:
    """Whether a row of the source table people is deleted or suppressed; never null."""
    return flag("deleted") | flag("suppressed")


def people(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: one row a person; current ones in an initial export, gone ones in `chngs`."""
    rows = frame.with_columns(
        _customer_id().alias("customer_id"),
        pl.col("email").alias("email_addr"),
        *states("deleted", "suppressed"),
        _created_at(reading.version).alias("created_at"),
        grown("updated_at", reading).alias("updated_at"),
    )
    return split(rows, reading, is_gone())


def attributes(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: current values of current people in an initial export, else each change."""
    rows = frame.filter(pl.col("attribute_value").is_not_null()) if reading.initial else frame
    return rows.with_columns(*attribute_value())


def attribute_value() -> list[pl.Expr]:
    """D3: the value as text, empty once removed, null if it is no JSON; and then its PROBLEM."""
    removed = pl.col("attribute_value").is_null()
    value, problem = json_to_text("attribute_value")
    text = pl.when(removed).then(pl.lit("")).otherwise(value)
    return [text.alias("attribute_value"), problem.alias(PROBLEM)]


def _customer_id() -> pl.Expr:
    """The person's id, else the email address, else empty."""
    by_email = pl.col("email").fill_null("")
    return pl.when(blank("id")).then(by_email).otherwise(pl.col("id"))


def _created_at(version: int) -> pl.Expr:
    """v5: when the person was added, the epoch for gone ones. v4: the last change of `id`."""
    if version >= CURRENT_VERSION:
        epoch = pl.lit(_EPOCH, dtype=pl.Datetime("us", "UTC"))
        return pl.when(is_gone() | hard_deleted()).then(epoch).otherwise(pl.col("added_at"))
    of_id = pl.coalesce("id_changed_at", "updated_at")
    return pl.when(blank("id")).then(pl.col("updated_at")).otherwise(of_id)


_OBJECT = ["workspace_id", "internal_object_id"]


def objects(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1: objects and object types; current ones in an initial export, gone ones in `chngs`."""
    rows = frame.with_columns(
        *states("deleted"),
        grown("updated_at", reading).alias("updated_at"),
    )
    return split(rows, reading, flag("deleted"))


def object_attributes(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: current values of current objects in an initial export, else each change."""
    rows = frame
    if reading.initial:
        current = reading.join("objects").filter(~flag("deleted")).select(_OBJECT)
        rows = frame.filter(pl.col("attribute_value").is_not_null()).join(
            current, on=_OBJECT, how="semi", maintain_order="left"
        )
    return rows.with_columns(*attribute_value())


_EMAIL_ONLY = ("email_client", "inbox_domain", "inbox_provider", "mx_host")
_OF_CAMPAIGNS = ("campaign_id", "action_id")


def delivery_content(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Content has the ids of its campaign or of its newsletter, never of both.

    A newsletter without variants has content 0.
    """
    campaign = pl.col("campaign_id").is_not_null()
    newsletter = ~campaign & pl.col("newsletter_id").is_not_null()
    index = pl.when(newsletter).then(pl.col("content_id").fill_null(0))
    rows = frame.with_columns(
        *(pl.when(~newsletter).then(pl.col(name)).alias(name) for name in _OF_CAMPAIGNS),
        pl.when(~campaign).then(pl.col("newsletter_id")).alias("newsletter_id"),
        index.when(~campaign).then(pl.col("content_id")).alias("content_id"),
    )
    if reading.version >= CURRENT_VERSION:
        return rows
    return rows.with_columns(pl.col("body_plain").fill_null(""))


def metrics(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """URLs cut, flags false and email-only columns null where they do not apply."""
    email = (pl.col("channel") == "email").fill_null(value=False)
    opened = email & (pl.col("metric") == "opened").fill_null(value=False)
    clicked = email & (pl.col("metric") == "clicked").fill_null(value=False)
    return frame.with_columns(
        first_bytes("link_url", LINK_URL_BYTES).alias("link_url"),
        (opened & flag("proxied")).alias("proxied"),
        (opened & flag("prefetched")).alias("prefetched"),
        (clicked & flag("machine")).alias("machine"),
        *(pl.when(email).then(pl.col(name)).alias(name) for name in _EMAIL_ONLY),
    )


def with_topics(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """Campaigns and broadcasts: no topics are null, never an empty list."""
    return frame.with_columns(empty_to_null("topic_names").alias("topic_names"))


def actions(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Actions: the same, and no name is null."""
    return with_topics(frame, reading).with_columns(blank_to_null("name").alias("name"))


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


RULES: Mapping[str, Rule] = {
    "deliveries": as_they_are,
    "delivery_content": delivery_content,
    "metrics": metrics,
    "outputs": as_they_are,
    "people": people,
    "subjects": as_they_are,
    "attributes": attributes,
    "campaigns": with_topics,
    "actions": actions,
    "broadcasts": with_topics,
    "objects": objects,
    "object_types": objects,
    "object_attributes": object_attributes,
    "events": events,
    "inbound": inbound,
}
"""The rule of every export, by the export's name."""

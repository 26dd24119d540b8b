"""The rule of each export: how source rows get the contract's columns (D1, D3).

First what rules may look at beside their rows, and the expressions that some share. All of them run
in the streaming engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import polars as pl

from cio_pipeline.changesets.texts import PROBLEM, first_bytes, json_object, json_to_text
from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.declare import CURRENT_VERSION, Export
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.model.times import LATEST


@dataclass(frozen=True)
class Reading:
    """One read of one export: contract version, mode, and the joined tables at the upper cut.

    `joins` hold the rows of the served workspaces only, of those tables that exist. `tick` is the
    smallest step of the timestamps that are written. `anonymous` are people (workspace_id,
    internal_customer_id) whom later files do not name; None for nobody. `note` is told of such
    people as first files find them in their rows, some more than once, in any thread. `terms` are
    those of a data contract.
    """

    export: Export
    version: int
    mode: Mode
    tick: timedelta
    joins: Mapping[str, pl.LazyFrame] = field(hash=False)
    anonymous: pl.LazyFrame | None = None
    note: "Note | None" = field(default=None, hash=False, compare=False)
    terms: InForce | None = None

    def join(self, table: str) -> pl.LazyFrame:
        """A joined table; an empty one if it does not exist yet."""
        found = self.joins.get(table)
        return pl.LazyFrame(schema=source_schema(SOURCE_TABLES[table])) if found is None else found

    @property
    def initial(self) -> bool:
        """Whether all history is read."""
        return self.mode is Mode.INITIAL


Note: TypeAlias = Callable[[pl.DataFrame], None]
"""Takes some people: workspace_id, internal_customer_id."""

Rule: TypeAlias = Callable[[pl.LazyFrame, Reading], pl.LazyFrame]
"""Gives source rows (with CHANGE, VERSION, COMMITTED_AT) the contract's columns, keeping the rest.

A rule may drop rows that the mode does not send. It keeps the order of the rows and the source's
timestamps in microseconds; it neither casts nor checks.
"""


def as_they_are(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """The rule of exports whose source columns are the contract's."""
    return frame


_HARD_DELETED = pl.col(CHANGE) == DELETED
"""Whether the row itself is gone from the source; sent as a `deleted` one."""


def flag(name: str) -> pl.Expr:
    """A Boolean column with null as false."""
    return pl.col(name).fill_null(value=False)


def blank_to_null(name: str) -> pl.Expr:
    """A text, or null where it is empty."""
    return pl.when(pl.col(name) != "").then(pl.col(name))


def empty_to_null(name: str) -> pl.Expr:
    """A list, or null where it has no elements."""
    return pl.when(pl.col(name).list.len() > 0).then(pl.col(name))


def empty_list() -> pl.Expr:
    """The empty list of strings."""
    return pl.lit([], dtype=pl.List(pl.String))


def states(*names: str) -> list[pl.Expr]:
    """`deleted`, `suppressed`: true or false as the source says; null, which no row may be (D3).

    A row that is gone from the source is deleted, whatever it said.
    """
    return [
        pl.when(_HARD_DELETED)
        .then(_HARD_DELETED if name == "deleted" else flag(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in names
    ]


def grown(name: str, reading: Reading) -> pl.Expr:
    """A time that is later than all that was sent before, also for rows that are gone.

    A row gone from the source cannot say when: it is its commit's time, at least one tick later
    than the row's, but for the last time that there is: then the larger sequence counts (D1).
    """
    later = pl.min_horizontal(pl.col(name) + reading.tick, pl.lit(LATEST))
    after = pl.max_horizontal(pl.col(COMMITTED_AT), later)
    return pl.when(_HARD_DELETED).then(after).otherwise(pl.col(name))


def split(frame: pl.LazyFrame, reading: Reading, gone: pl.Expr) -> pl.LazyFrame:
    """Set SERIES; an initial export leaves out what is `gone` (never null)."""
    if reading.initial:
        return frame.filter(~gone).with_columns(pl.lit(Series.PLAIN.value).alias(SERIES))
    new = (pl.col(CHANGE) == NEW) & ~gone
    series = pl.when(new).then(pl.lit(Series.PLAIN.value)).otherwise(pl.lit(Series.CHNGS.value))
    return frame.with_columns(series.alias(SERIES))


PERSON = ["workspace_id", "internal_customer_id"]
"""What tells people apart, in every source table that concerns them."""

IS_GONE = flag("deleted") | flag("suppressed")
"""Whether a row of the source table people is deleted or suppressed; never null."""

# A literal time would be made by the threads of Polars, which no import may start.
_EPOCH = pl.lit(0, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def people(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: one row a person; current ones in an initial export, gone ones in `chngs`.

    `customer_id` is the person's id, else the email address, else empty. `created_at` is when the
    person was added, the epoch for gone ones; in v4, when `id` was changed last.
    """
    email, no_id = pl.col("email"), pl.col("id").fill_null("") == ""
    if reading.version >= CURRENT_VERSION:
        created = pl.when(IS_GONE | _HARD_DELETED).then(_EPOCH).otherwise(pl.col("added_at"))
    else:
        of_id = pl.coalesce("id_changed_at", "updated_at")
        created = pl.when(no_id).then(pl.col("updated_at")).otherwise(of_id)
    rows = frame.with_columns(
        pl.when(no_id).then(email.fill_null("")).otherwise(pl.col("id")).alias("customer_id"),
        email.alias("email_addr"),
        *states("deleted", "suppressed"),
        created.alias("created_at"),
        grown("updated_at", reading).alias("updated_at"),
    )
    return split(rows, reading, IS_GONE)


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


_LINK_URL_BYTES = 1000
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
        first_bytes("link_url", _LINK_URL_BYTES).alias("link_url"),
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

"""What people do: events in apps and on web sites, and replies to SMS."""

import polars as pl

from cio_pipeline.demo.attributes import amount, joined
from cio_pipeline.demo.chance import below, choice, drawing, nth, odds
from cio_pipeline.demo.occasions import ident, occasions
from cio_pipeline.demo.sends import SENDER_NUMBER
from cio_pipeline.demo.world import DAY, HOUR, MINUTE, SECOND, Span, Workspace, finished

LONGEST_REPLY = 5 * DAY
"""From an SMS to the reply: some are later than the 72 hours that attribution allows."""

_NAMES = (
    "Checkout Started", "checkout_started", "Order Completed", "Größe gewählt",
    "https://shop.example/", "/pricing?plan=pro", "Home", "Settings · Profile",
)  # fmt: skip
_TYPES = ("event", "event", "event", "event", "page", "page", "screen", "screen")
_ITEMS = (
    r'[{"sku":"A-1","tags":["new","ü"]},{"sku":"B \"2\"","qty":2}]',
    r'[{"名":"寿司","price":9007199254740993}]',
    "[]",
    r'[{"note":"line\nbreak","deep":{"deeper":{"deepest":[[1],[2,null]]}}}]',
)
_SOURCES = ("Customer.io Data Pipelines via JavaScript", "API", "Mobile SDK")
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "okhttp/4.12", "curl/8.9")
_REPLIES = ("YES", "STOP", "stop please", "Who is this?", "Ja, gerne 👍", "UNSUBSCRIBE", "HELP", "")
_KEYWORDS = ("YES", "STOP", None, None, None, "UNSUBSCRIBE", "HELP", None)


def event_rows(
    workspace: Workspace, days: range, journeys: pl.DataFrame, people: pl.DataFrame, span: Span
) -> pl.DataFrame:
    """The rows of `events` processed in the span, those that started journeys included."""
    size, draw = workspace.world.size, drawing("key")
    rate = workspace.people * size.events_per_person / size.history_days
    frame = occasions(workspace, days, "event", rate, people)
    backdated = pl.when(odds(draw("old"), 0.03)).then(below(draw("how old"), 12 * DAY)).otherwise(0)
    kind = below(draw("kind"), len(_NAMES))
    anything = frame.select(
        "key",
        "internal_customer_id",
        event_id=ident("e", pl.col("index")),
        name=nth(kind, _NAMES),
        type=nth(kind, _TYPES),
        processed_at=pl.col("at"),
        timestamp=pl.col("at") - below(draw("lag"), 3 * SECOND) - backdated,
    )
    starters = journeys.filter(pl.col("event_id").is_not_null()).select(
        "key",
        "internal_customer_id",
        "event_id",
        name=pl.lit("Checkout Started"),
        type=pl.lit("event"),
        processed_at=pl.col("at") - SECOND,
        timestamp=pl.col("started"),
    )
    rows = pl.concat([anything, starters], rechunk=True).filter(span.holds(pl.col("processed_at")))
    source = below(draw("source"), len(_SOURCES))
    known = pl.when(odds(draw("known source"), 0.95))
    return finished(
        rows.with_columns(
            properties=pl.when(odds(draw("bare"), 0.95)).then(_properties()),
            sources=known.then(pl.concat_list(nth(source, _SOURCES))),
            source_uas=known.then(pl.concat_list(nth(source, _AGENTS))),
        ),
        "events",
        workspace.number,
    )


def _properties() -> pl.Expr:
    draw = drawing("key")
    return joined(
        '{"total":',
        amount(draw("total")),
        ',"currency":"',
        choice(draw("currency"), ("EUR", "CHF", "円")),
        '","items":',
        choice(draw("items"), _ITEMS),
        ',"first":',
        choice(draw("first"), ("true", "false", "null")),
        "}",
    )


def inbound_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `inbound` processed in the span: replies to one SMS in six."""
    draw = drawing("key")
    sms = frame.filter(pl.col("channel") == "sms", odds(draw("replies"), 0.16))
    quick = odds(draw("quick"), 0.7)
    lag = (
        pl.when(quick)
        .then(below(draw("reply"), HOUR))
        .otherwise(below(draw("reply"), LONGEST_REPLY - HOUR))
    )
    rows = sms.with_columns(timestamp=pl.col("sent_at") + MINUTE + lag)
    rows = rows.with_columns(processed_at=pl.col("timestamp") + 2 * SECOND)
    here = pl.col("gone").is_null() | (pl.col("processed_at") < pl.col("gone"))
    said = below(draw("said"), len(_REPLIES))
    keyword = nth(said, _KEYWORDS)
    rows = rows.filter(here, span.holds(pl.col("processed_at"))).with_columns(
        **{
            "event_id": pl.format("i{}", pl.col("delivery_id")),
            "channel": pl.lit("sms"),
            "from": pl.col("phone"),
            "to": pl.lit(SENDER_NUMBER),
            "body": nth(said, _REPLIES),
            "keyword": keyword,
            "optout": keyword.is_in(["STOP", "UNSUBSCRIBE"]).fill_null(value=False),
            "messaging_service_sid": pl.lit("MG0001"),
            "message_sid": pl.format("SM{}", pl.col("key")),
        }
    )
    return finished(rows, "inbound", workspace.number)

"""Sends: every message that leaves, from journeys, newsletters and transactional calls.

From them follow deliveries and their content; `outcomes` and `replies` say what comes back.
"""

import polars as pl

from cio_pipeline.demo.attributes import joined
from cio_pipeline.demo.chance import below, choice, drawing, nth, odds
from cio_pipeline.demo.occasions import ident, occasions
from cio_pipeline.demo.people import email_at
from cio_pipeline.demo.world import HOUR, MINUTE, SECOND, Span, Workspace, finished, seq_num

LONGEST_QUEUE = 4 * HOUR
SENDER_NUMBER = "+15550001"
_CARRIED = (
    "key", "at", "sent_at", "delivery_id", "channel", "internal_customer_id", "person", "phone",
    "device", "first_email", "second_email", "email_changed", "gone",
)  # fmt: skip
_IDS = (
    "subject_name", "event_id", "campaign_id", "action_id", "newsletter_id", "content_id",
    "variant", "trigger_id", "transactional_message_id",
)  # fmt: skip


def with_dispatch(frame: pl.DataFrame) -> pl.DataFrame:
    """When messages leave the queue: mostly at once, one in eight up to four hours later."""
    draw = drawing("key")
    slow = odds(draw("slow"), 0.12)
    wait = pl.when(slow).then(below(draw("wait"), LONGEST_QUEUE - MINUTE)).otherwise(0)
    return frame.with_columns(
        sent_at=pl.col("at") + SECOND + below(draw("send"), 5 * SECOND) + wait
    )


def sends(
    workspace: Workspace, days: range, steps: pl.DataFrame, people: pl.DataFrame
) -> pl.DataFrame:
    """Everything sent on some days, the messages among the steps of journeys included."""
    parts = [
        steps.filter(pl.col("delivery_id").is_not_null()),
        with_dispatch(_newsletters(workspace, days, people)),
        with_dispatch(_transactional(workspace, days, people)),
    ]
    ids = {"subject_name": pl.String, "event_id": pl.String}
    columns = [*_CARRIED, *_IDS]
    every = [
        part.with_columns(
            pl.lit(None, dtype=ids.get(name, pl.Int64)).alias(name)
            for name in columns
            if name not in part.columns
        ).select(columns)
        for part in parts
    ]
    frame = pl.concat(every, rechunk=True).with_columns(recipient=_recipient())
    return frame.filter(pl.col("recipient").is_not_null())


def _per_day(workspace: Workspace, share: float) -> float:
    size = workspace.world.size
    return workspace.people * size.messages_per_person * share / size.history_days


def _newsletters(workspace: Workspace, days: range, people: pl.DataFrame) -> pl.DataFrame:
    """Each newsletter goes out over three days; every second one is a split test."""
    frame = occasions(workspace, days, "newsletter", _per_day(workspace, 0.3), people)
    newsletter = newsletter_of(pl.col("day"))
    split = newsletter % 2 == 0
    variant = pl.when(split).then(below(drawing("key")("variant"), 2)).otherwise(0)
    return frame.with_columns(
        delivery_id=ident("dn", pl.col("index")),
        channel=pl.lit("email"),
        newsletter_id=newsletter,
        variant=variant,
        content_id=pl.when(split).then(newsletter * 10 + variant),
    )


def newsletter_of(day: pl.Expr) -> pl.Expr:
    """The newsletter that goes out on a day; newsletter 1 is left to `cast`."""
    return day // 3 + 2


def _transactional(workspace: Workspace, days: range, people: pl.DataFrame) -> pl.DataFrame:
    frame = occasions(workspace, days, "transactional", _per_day(workspace, 0.1), people)
    number = below(drawing("key")("which"), 3)
    return frame.with_columns(
        delivery_id=ident("dt", pl.col("index")),
        channel=nth(number, ("email", "email", "sms")),
        transactional_message_id=number + 1,
    )


def _recipient() -> pl.Expr:
    channel = pl.col("channel")
    return (
        pl.when(channel == "email")
        .then(email_at(pl.col("at")))
        .when(channel == "sms")
        .then(pl.col("phone"))
        .when(channel == "push")
        .then(pl.col("device"))
        .when(channel == "in-app")
        .then(pl.col("internal_customer_id"))
        .when(channel == "slack")
        .then(pl.lit("#sales-ops"))
        .otherwise(pl.lit("https://hooks.example/crm"))
    )


def delivery_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `deliveries` that changed in the span; one in the queue has no recipient yet."""
    is_sent = pl.col("sent_at") < span.end
    last = pl.when(is_sent).then(pl.col("sent_at")).otherwise(pl.col("at"))
    rows = frame.filter(pl.col("at") < span.end, last >= span.start).with_columns(
        subject_id=pl.col("subject_name"),
        delivery_type=pl.col("channel"),
        recipient=pl.when(is_sent).then(pl.col("recipient")),
        created_at=pl.col("at"),
        seq_num=seq_num(last),
    )
    return finished(rows, "deliveries", workspace.number)


_SUBJECTS = (
    "Your order is on its way",
    "Schöne Grüße aus Zürich ❄️",
    "本周精选",
    "“50 %” off, today",
)
_HTML = (
    "<html><body><h1>Hello {{name}}</h1><p>Thanks for being with us.</p></body></html>",
    '<html><body style="margin:0">\n<p>Größe, Prix & 価格 — “quoted”</p>\n</body></html>',
)
_SHORT = ("Your code is 4711", "Reply YES to confirm, STOP to end", "¡Hola! ¿Todo bien? 🎉")


def content_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `delivery_content` that came in the span: one in ten comes 20 minutes late."""
    draw, channel = drawing("key"), pl.col("channel")
    late = pl.when(odds(draw("late"), 0.1)).then(20 * MINUTE).otherwise(SECOND)
    email, webhook = channel == "email", channel == "webhook"
    name = joined("friend of ", pl.col("person").cast(pl.String))
    html = choice(draw("html"), _HTML).str.replace("{{name}}", name, literal=True)
    payload = joined('{"person":', pl.col("person").cast(pl.String), ',"tags":["a","ü"]}')
    rows = frame.filter(span.holds(pl.col("sent_at") + late)).with_columns(
        **{
            "type": channel,
            "content_id": pl.col("variant"),
            "from": pl.when(email).then(pl.lit("Team <team@sender.example>")),
            "reply_to": pl.when(email & odds(draw("reply"), 0.3)).then(
                pl.lit("help@sender.example")
            ),
            "bcc": pl.when(email & odds(draw("bcc"), 0.05)).then(pl.lit("audit@sender.example")),
            "subject": pl.when(email).then(choice(draw("subject"), _SUBJECTS)),
            "body": pl.when(email)
            .then(html)
            .when(webhook)
            .then(payload)
            .otherwise(choice(draw("short"), _SHORT)),
            "body_amp": pl.when(email & odds(draw("amp"), 0.02)).then(
                pl.lit("<html ⚡4email></html>")
            ),
            "body_plain": pl.when(email & odds(draw("plain"), 0.1)).then(name),
            "preheader": pl.when(email & odds(draw("pre"), 0.5)).then(pl.lit("Only this week")),
            "url": pl.when(webhook).then(pl.lit("https://hooks.example/crm")),
            "method": pl.when(webhook).then(pl.lit("POST")),
            "headers": pl.when(webhook).then(pl.lit('{"Content-Type":"application/json"}')),
        }
    )
    return finished(rows, "delivery_content", workspace.number)

"""Outcomes of messages: the metrics, from the first attempt to the unsubscription."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from cio_pipeline.demo.chance import Draw, below, choice, drawing, nth, odds
from cio_pipeline.demo.world import HOUR, MINUTE, SECOND, Span, Workspace, finished, seq_num

LONGEST_OUTCOME = 50 * HOUR
"""From a message's leaving to the last metric about it."""

_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15",
    None,
)
_CLIENTS = ("Gmail", "Apple Mail", "Outlook", None)
_PROVIDERS = ("Google", "Microsoft", None)
_BOUNCES = ("550 5.1.1 user unknown", "552 5.2.2 mailbox full", "554 5.7.1 blocked “spam”")
LONG_LINK = "https://shop.example/категория/" + "寿司🍣" * 120 + "?q=" + "ж" * 200
"""A link of more than 1000 bytes in several scripts (D3)."""

_LINKS = (*(f"https://shop.example/item/{item}?utm=mail" for item in range(11)), LONG_LINK)


@dataclass(frozen=True)
class _Metric:
    """One kind of metric: to which sends it happens, when, and its columns beyond the common."""

    name: str
    happens: pl.Expr
    at: pl.Expr
    columns: Mapping[str, pl.Expr] = field(default_factory=dict[str, pl.Expr])


def metric_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `metrics` that came in the span."""
    oldest = pl.col("sent_at") >= span.start - LONGEST_OUTCOME
    recent = frame.filter(oldest, pl.col("at") < span.end)
    recent = recent.with_columns(**_moments(drawing("key")))
    recent = recent.with_columns(clicked_at=_clicked(drawing("key")))
    parts = [_rows(recent, metric, code, span) for code, metric in enumerate(_metrics(), 1)]
    return finished(pl.concat(parts, how="diagonal"), "metrics", workspace.number)


def _moments(draw: Draw) -> dict[str, pl.Expr]:
    """When messages arrived and were opened; null if they were not."""
    channel, sent = pl.col("channel"), pl.col("sent_at")
    arrived = sent + SECOND + below(draw("transit"), 20 * SECOND)
    rate = channel.replace_strict(
        {"email": 0.35, "push": 0.2, "in-app": 0.5}, default=0.0, return_dtype=pl.Float64
    )
    opens = (odds(draw("bounce"), 0.97)) & (draw("open") < rate)
    slowness = draw("open at") ** 4
    return {
        "delivered_at": pl.when(odds(draw("bounce"), 0.97)).then(arrived),
        "opened_at": pl.when(opens).then(
            arrived + 5 * SECOND + (slowness * 40 * HOUR).cast(pl.Int64)
        ),
    }


def _clicked(draw: Draw) -> pl.Expr:
    opened = pl.col("opened_at")
    return pl.when(odds(draw("click"), 0.25)).then(
        opened + 3 * SECOND + below(draw("click at"), HOUR)
    )


def _metrics() -> tuple[_Metric, ...]:
    draw, channel, sent = drawing("key"), pl.col("channel"), pl.col("sent_at")
    delivered, opened = pl.col("delivered_at"), pl.col("opened_at")
    clicked = pl.col("clicked_at")
    email = channel == "email"
    machine = pl.when(email).then(odds(draw("machine"), 0.1))
    corrected = email & odds(draw("correct"), 0.04)
    reader = _reader(draw, email)
    link = {**reader, "link_id": nth_link(draw) + 1, "link_url": nth(nth_link(draw), _LINKS)}
    opening = {
        **reader,
        "proxied": pl.when(email).then(odds(draw("proxied"), 0.25)),
        "prefetched": pl.when(email).then(odds(draw("prefetched"), 0.2)),
    }
    attempt = {"reason": pl.lit("421 4.7.0 try again later")}
    bounce = {"reason": choice(draw("why"), _BOUNCES)}
    return (
        _Metric("attempted", odds(draw("attempt"), 0.06), sent - 500_000, attempt),
        _Metric("sent", sent.is_not_null(), sent),
        _Metric("delivered", delivered.is_not_null(), delivered),
        _Metric("bounced", email & delivered.is_null(), sent + 10 * SECOND, bounce),
        _Metric("failed", ~email & delivered.is_null(), sent + 10 * SECOND, bounce),
        _Metric("opened", opened.is_not_null(), opened, opening),
        _Metric("opened", opened.is_not_null() & odds(draw("again"), 0.3), opened + HOUR, opening),
        _Metric("clicked", clicked.is_not_null(), clicked, {**link, "machine": machine}),
        _Metric(
            "clicked", clicked.is_not_null() & odds(draw("twice"), 0.2), clicked + 9 * SECOND, link
        ),
        _Metric("converted", odds(draw("convert"), 0.1), clicked + 20 * MINUTE),
        _Metric("unsubscribed", opened.is_not_null() & odds(draw("leave"), 0.02), opened + MINUTE),
        # A click is found to be a machine's later: the same event with a larger seq_num.
        _Metric(
            "clicked",
            clicked.is_not_null() & corrected,
            clicked,
            {**link, "machine": pl.lit(value=True), "known_at": clicked + 30 * MINUTE},
        ),
    )


def _reader(draw: Draw, email: pl.Expr) -> dict[str, pl.Expr]:
    """What is known of whoever opens or clicks."""
    return {
        "user_agent": choice(draw("agent"), _AGENTS),
        "email_client": pl.when(email).then(choice(draw("client"), _CLIENTS)),
    }


def nth_link(draw: Draw) -> pl.Expr:
    """The 0-based number of the link that is clicked."""
    return below(draw("link"), len(_LINKS))


_CORRECTION = 12
_CORRECTED = 8


def _rows(frame: pl.DataFrame, metric: _Metric, code: int, span: Span) -> pl.DataFrame:
    known_at = metric.columns.get("known_at", metric.at)
    event = _CORRECTED if code == _CORRECTION else code
    mail = pl.col("channel") == "email"
    draw = drawing("key")
    rows = frame.filter(metric.happens, span.holds(known_at))
    domain = pl.when(mail).then(pl.col("recipient").str.split("@").list.last())
    return rows.select(
        "delivery_id",
        "internal_customer_id",
        "channel",
        event_id=pl.format("m{}{}", pl.col("delivery_id"), pl.lit(f"-{event:02}")),
        metric=pl.lit(metric.name),
        created_at=metric.at,
        seq_num=seq_num(known_at),
        inbox_domain=domain,
        inbox_provider=pl.when(mail).then(choice(draw("provider"), _PROVIDERS)),
        mx_host=pl.format("mx1.{}", domain),
        **{name: value for name, value in metric.columns.items() if name != "known_at"},
    )

"""Journeys of people through campaigns: subjects, and outputs for their steps.

Every journey has the same five steps: a message, a delay, a fork, another message, and for some
an update of a manual segment. A journey ends early if the person goes.
"""

import polars as pl

from cio_pipeline.demo.chance import below, choice, drawing, keyed, nth, odds
from cio_pipeline.demo.occasions import ident, occasions
from cio_pipeline.demo.sends import with_dispatch
from cio_pipeline.demo.world import HOUR, MINUTE, SECOND, Span, Workspace, finished, seq_num

LONGEST_DELAY = 20 * HOUR
ACTIONS_PER_CAMPAIGN = 5
FIRST_CAMPAIGN = 2
"""Campaign 1 is left to the scripted people of every commit (`cast`)."""

_FIRST_MESSAGE, _DELAY, _FORK, _SECOND_MESSAGE, _SEGMENT = range(1, ACTIONS_PER_CAMPAIGN + 1)

TYPES = ("segment", "event", "triggered_broadcast")
CHANNELS = (
    ("email", "email"),
    ("email", "push"),
    ("email", "sms"),
    ("sms", "email"),
    ("push", "in-app"),
    ("webhook", "slack"),
    ("in-app", "email"),
    ("sms", "push"),
)
"""The channels of a campaign's two messages, by its number."""

MESSAGES_PER_JOURNEY = 1.75


def journeys(workspace: Workspace, days: range, people: pl.DataFrame) -> pl.DataFrame:
    """Journeys that began on some days, with their ids and moments."""
    size = workspace.world.size
    messages = workspace.people * size.messages_per_person * 0.6 / size.history_days
    frame = occasions(workspace, days, "journey", messages / MESSAGES_PER_JOURNEY, people)
    draw = drawing("key")
    number = below(draw("campaign"), size.campaigns)
    frame = frame.with_columns(
        number=number,
        campaign_id=number + FIRST_CAMPAIGN,
        campaign_type=nth(number, TYPES),
        subject_name=ident("j", pl.col("index")),
        waits_until=pl.col("at") + 10 * MINUTE + below(draw("delay"), LONGEST_DELAY),
    )
    is_event = pl.col("campaign_type") == "event"
    return frame.with_columns(
        event_id=pl.when(is_event).then(ident("ej", pl.col("index"))),
        trigger_id=pl.when(pl.col("campaign_type") == "triggered_broadcast").then(
            pl.col("day") + 1
        ),
        started=pl.col("at") - pl.when(is_event).then(2 * SECOND).otherwise(0),
    )


def _happens(at: pl.Expr) -> pl.Expr:
    """Whether the person is still there."""
    return pl.col("gone").is_null() | (at < pl.col("gone"))


def subject_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `subjects` that changed in the span: at the start and at the end of a journey."""
    done = pl.col("waits_until") + 3 * SECOND
    last = pl.when((done < span.end) & _happens(done)).then(done).otherwise(pl.col("at"))
    rows = frame.with_columns(last=last).filter(
        pl.col("at") < span.end, pl.col("last") >= span.start
    )
    rows = rows.with_columns(
        started_campaign_at=pl.col("started"),
        created_at=pl.col("at"),
        seq_num=seq_num(pl.col("last")),
    )
    return finished(rows, "subjects", workspace.number)


def steps(frame: pl.DataFrame) -> pl.DataFrame:
    """All steps of journeys: `step`, `output_id`, `at`, and for messages channel and delivery."""
    waited = pl.col("waits_until")
    moments = (
        pl.col("at"),
        pl.col("at") + 2 * SECOND,
        waited + SECOND,
        waited + 2 * SECOND,
        waited + 3 * SECOND,
    )
    parts = [frame.with_columns(step=pl.lit(step), at=at) for step, at in enumerate(moments, 1)]
    parts[-1] = parts[-1].filter(odds(drawing("key")("segment"), 0.4))
    every = pl.concat(parts, rechunk=True).filter(_happens(pl.col("at")))
    every = every.with_columns(
        journey_key=pl.col("key"),
        key=keyed(pl.col("key") + pl.col("step").cast(pl.UInt64), 1),
        output_id=ident("o", pl.col("index") * 10 + pl.col("step")),
        action_id=(pl.col("campaign_id") - 1) * ACTIONS_PER_CAMPAIGN + pl.col("step"),
        channel=pl.when(pl.col("step") == _FIRST_MESSAGE)
        .then(nth(pl.col("number"), [first for first, _ in CHANNELS]))
        .when(pl.col("step") == _SECOND_MESSAGE)
        .then(nth(pl.col("number"), [second for _, second in CHANNELS])),
    )
    is_email, message = pl.col("channel") == "email", pl.col("channel").is_not_null()
    reachable = ~is_email | pl.col("first_email").is_not_null()
    every = every.with_columns(
        delivery_id=pl.when(message & reachable).then(
            ident("d", pl.col("index") * 10 + pl.col("step"))
        )
    )
    return with_dispatch(every)


def output_rows(workspace: Workspace, every: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `outputs` that changed in the span: when made, sent, or waited for."""
    step, at, draw = pl.col("step"), pl.col("at"), drawing("key")
    message, delay, fork = pl.col("channel").is_not_null(), step == _DELAY, step == _FORK
    sent = pl.col("delivery_id").is_not_null()
    later = pl.when(sent).then(pl.col("sent_at")).when(delay).then(pl.col("waits_until"))
    done = (later < span.end).fill_null(value=False) & _happens(later).fill_null(value=False)
    rows = every.with_columns(done=done).with_columns(
        last=pl.when(pl.col("done")).then(later).otherwise(at)
    )
    rows = rows.filter(at < span.end, pl.col("last") >= span.start)
    split = pl.col("number") % 2 == 0
    rows = rows.with_columns(
        output_type=pl.coalesce(
            pl.col("channel"),
            pl.when(delay).then(pl.lit("delay")),
            pl.when(fork & split).then(pl.lit("split_test")),
            pl.when(fork).then(pl.lit("multi_split_branch")),
            pl.lit("manual_segment_update"),
        ),
        explanation=_explanation(message, sent, pl.col("done")),
        draft=pl.when(sent).then(~pl.col("done") & odds(draw("draft"), 0.05)),
        link_tracked=pl.when(sent).then(odds(draw("tracked"), 0.8)),
        split_test_index=pl.when(fork & split).then(below(draw("variant"), 2)),
        branch_index=pl.when(fork & ~split).then(below(draw("branch"), 3)),
        delay_ends_at=pl.when(delay).then(pl.col("waits_until")),
        manual_segment_id=pl.when(step == _SEGMENT).then(pl.col("number") + 1),
        add_to_manual_segment=pl.when(step == _SEGMENT).then(odds(draw("add"), 0.7)),
        created_at=at,
        seq_num=seq_num(pl.col("last")),
    )
    return finished(rows, "outputs", workspace.number)


def _explanation(message: pl.Expr, sent: pl.Expr, done: pl.Expr) -> pl.Expr:
    fork = choice(drawing("key")("why"), ("matched “VIP”", 'plan = "pro"', "otherwise"))
    return (
        pl.when(message & ~sent)
        .then(pl.format("{} has no email address", pl.col("internal_customer_id")))
        .when(message & done)
        .then(pl.lit("message sent"))
        .when(message)
        .then(pl.lit("message queued"))
        .when((pl.col("step") == _DELAY) & done)
        .then(pl.lit("delay ended"))
        .when(pl.col("step") == _DELAY)
        .then(pl.lit("waiting"))
        .when(pl.col("step") == _FORK)
        .then(fork)
        .otherwise(pl.lit("segment updated"))
    )


LONGEST_JOURNEY = LONGEST_DELAY + HOUR
"""From the start of a journey to its last step."""

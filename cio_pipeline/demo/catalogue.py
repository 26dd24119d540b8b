"""What marketers keep: campaigns, their actions and newsletters, one row an edit."""

import polars as pl

from cio_pipeline.demo.chance import below, choice, drawing, keyed, odds
from cio_pipeline.demo.journeys import ACTIONS_PER_CAMPAIGN
from cio_pipeline.demo.world import DAY, HOUR, MINUTE, Span, Workspace, finished

_SHORTEST_PERIOD = 6 * DAY
_NAMES = ("Welcome", "Winback", "Abandoned cart", "Geburtstag 🎂", "ご案内", "“Summer” sale")
_TOPICS = ("Offers", "Produktneuheiten", "Events, local", None)
_PER_ACTION = 5 * MINUTE


def created_campaign(workspace: Workspace, campaign: int) -> int:
    """When a campaign was created: all within a day before the origin."""
    return workspace.world.origin - DAY + campaign * HOUR


def created_action(workspace: Workspace, action: int) -> int:
    """When an action was created: all within half a day before the origin."""
    return workspace.world.origin - DAY // 2 + action * _PER_ACTION


def created_broadcast(workspace: Workspace, broadcast: int) -> int:
    """When a newsletter was created: two days before it first goes out."""
    return workspace.world.origin + (broadcast - 2) * 3 * DAY - 2 * DAY


def campaign_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The rows of `campaigns` of the span: every third edit leaves the version as it is."""
    numbers = pl.int_range(1, workspace.world.size.campaigns + 2, eager=True)
    frame = pl.DataFrame({"campaign_id": numbers}).with_columns(
        created=pl.col("campaign_id") * HOUR + created_campaign(workspace, 0)
    )
    edits = _edits(workspace, frame, "campaign", pl.col("campaign_id"), span)
    return finished(
        edits.with_columns(
            version=pl.col("edit") - pl.col("edit") // 3 + 1,
            name=_name(pl.col("campaign_id")),
        ),
        "campaigns",
        workspace.number,
    )


def action_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The rows of `actions` of the span; every third action has no name."""
    count = (workspace.world.size.campaigns + 1) * ACTIONS_PER_CAMPAIGN
    frame = pl.DataFrame({"action_id": pl.int_range(1, count + 1, eager=True)})
    frame = frame.with_columns(
        campaign_id=(pl.col("action_id") - 1) // ACTIONS_PER_CAMPAIGN + 1,
        created=pl.col("action_id") * _PER_ACTION + created_action(workspace, 0),
    )
    edits = _edits(workspace, frame, "action", pl.col("action_id"), span)
    name = pl.format("Step {}", (pl.col("action_id") - 1) % ACTIONS_PER_CAMPAIGN + 1)
    return finished(
        edits.with_columns(
            version=pl.col("edit") + 1,
            name=pl.when(pl.col("action_id") % 3 != 0).then(name),
        ),
        "actions",
        workspace.number,
    )


def broadcast_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The rows of `broadcasts` of the span: each newsletter is edited twice on its first day."""
    world = workspace.world
    count = (span.end - world.origin) // (3 * DAY) + 3
    frame = pl.DataFrame({"broadcast_id": pl.int_range(1, count + 1, eager=True)})
    frame = frame.with_columns(
        created=pl.col("broadcast_id") * 3 * DAY + created_broadcast(workspace, 0),
        edit=pl.lit([0, 1, 2]),
    ).explode("edit", empty_as_null=False)
    # Newsletter 1 is only created here; the scripted edits of `cast` follow.
    frame = frame.filter((pl.col("broadcast_id") > 1) | (pl.col("edit") == 0))
    rows = frame.with_columns(
        updated_at=pl.col("created") + pl.col("edit") * 5 * HOUR,
        key=keyed(pl.col("broadcast_id"), workspace.salt("broadcast")),
    ).filter(span.holds(pl.col("updated_at")))
    return finished(
        rows.with_columns(
            name=pl.format("Newsletter #{} “{}”", pl.col("broadcast_id"), _word()),
            created_at=pl.col("created"),
            topic_names=_topics(),
        ),
        "broadcasts",
        workspace.number,
    )


def _edits(
    workspace: Workspace, frame: pl.DataFrame, purpose: str, number: pl.Expr, span: Span
) -> pl.DataFrame:
    """One row an edit, each thing in a rhythm of its own; the things of `cast` are only created."""
    campaign = pl.col("campaign_id")
    frame = frame.with_columns(
        pl.col("created").cast(pl.Int64), key=keyed(number, workspace.salt(purpose))
    )
    draw = drawing("key")
    period = _SHORTEST_PERIOD + below(draw("period"), 9 * DAY)
    count = pl.when(campaign == 1).then(1).otherwise((span.end - pl.col("created")) // period + 1)
    frame = frame.with_columns(period=period, edit=pl.int_ranges(count)).explode(
        "edit", empty_as_null=False
    )
    rows = frame.with_columns(updated_at=pl.col("created") + pl.col("edit") * pl.col("period"))
    return rows.filter(span.holds(pl.col("updated_at"))).with_columns(
        created_at=pl.col("created"), topic_names=_topics()
    )


def _word() -> pl.Expr:
    return choice(drawing("key")("name"), _NAMES)


def _name(number: pl.Expr) -> pl.Expr:
    edited = pl.when(pl.col("edit") > 0).then(pl.format(" (edit {})", pl.col("edit")))
    return pl.concat_str([pl.format("{} {}", _word(), number), edited.otherwise(pl.lit(""))])


def _topics() -> pl.Expr:
    """Null for half of the things, an empty list for some, else one or two topics."""
    draw = drawing("key")
    one = pl.concat_list(choice(draw("topic"), _TOPICS)).list.drop_nulls()
    return (
        pl.when(odds(draw("any topics"), 0.5))
        .then(None)
        .when(odds(draw("no topics"), 0.2))
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .when(odds(draw("one topic"), 0.5))
        .then(one)
        .otherwise(pl.lit(["Offers", "Events, local"], dtype=pl.List(pl.String)))
    )

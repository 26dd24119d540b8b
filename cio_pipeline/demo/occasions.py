"""Occasions: moments at which something happens to somebody, at a rate per day.

Days are counted from the origin. What happens on a day never depends on how the timeline is cut
into commits.
"""

import math

import polars as pl

from cio_pipeline.demo.chance import below, drawing, key_of, keyed
from cio_pipeline.demo.world import DAY, HOUR, Workspace

_PER_DAY_LIMIT = 10**7
_PERSON = ("internal_customer_id", "gone", "first_email", "second_email", "email_changed")
_STRIDE = 7919
"""A prime: steps of it visit everybody once before anybody twice."""


def occasions(
    workspace: Workspace, days: range, purpose: str, per_day: float, people: pl.DataFrame
) -> pl.DataFrame:
    """What happens on some days to people who are still there.

    `per_day` is the average of the history. Columns: `day`, `index` within the day, `key`, `at`,
    `person` and what the roster says of the person.
    """
    counts = [_count(workspace, day, purpose, per_day) for day in days]
    alive = [workspace.alive(_start(workspace, day)) for day in days]
    frame = pl.DataFrame(
        {"day": list(days), "count": counts, "alive": alive},
        schema={"day": pl.Int64, "count": pl.Int64, "alive": pl.Int64},
    )
    frame = frame.with_columns(index=pl.int_ranges("count")).explode("index", empty_as_null=False)
    frame = frame.with_columns(
        key=keyed(pl.col("day") * _PER_DAY_LIMIT + pl.col("index"), workspace.salt(purpose))
    )
    draw = drawing("key")
    # The import takes the first hour; nothing is sent before its second.
    quiet = pl.when(pl.col("day") == 0).then(2 * HOUR).otherwise(0)
    frame = frame.with_columns(
        at=workspace.world.origin
        + pl.col("day") * DAY
        + quiet
        + (draw("at") * (DAY - quiet)).cast(pl.Int64),
        person=_everybody_once()
        if purpose == "newsletter"
        else below(draw("who"), pl.col("alive")),
    )
    frame = pl.concat([frame, _details(people, frame["person"])], how="horizontal")
    return frame.filter(pl.col("gone").is_null() | (pl.col("at") < pl.col("gone")))


def _everybody_once() -> pl.Expr:
    third = pl.col("day") % 3 * pl.col("count")
    return (pl.col("index") + third) * _STRIDE % pl.col("alive")


def _details(people: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
    columns = people.select(*_PERSON, "phone", "device")
    return columns[numbers]


def _start(workspace: Workspace, day: int) -> int:
    return workspace.world.origin + day * DAY


def _count(workspace: Workspace, day: int, purpose: str, per_day: float) -> int:
    """The rate times the share of people there, rounded up or down by chance."""
    crowd = workspace.alive(_start(workspace, day)) / (0.75 * workspace.people)
    chance = key_of(workspace.salt(purpose), day) / 2**64
    return math.floor(per_day * crowd + chance)


def ident(prefix: str, index: pl.Expr, key: str = "key") -> pl.Expr:
    """Ids that sort by day, unlike in any two workspaces."""
    serial = 10**13 + pl.col("day") * 10**8 + index
    return pl.format("{}{}{}", pl.lit(prefix), serial, pl.col(key) % 10_000)


def days_of(workspace: Workspace, start: int, end: int) -> range:
    """The days that `[start, end)` touches, none before the origin."""
    origin = workspace.world.origin
    return range(max(0, (start - origin) // DAY), max(0, -(-(end - origin) // DAY)))

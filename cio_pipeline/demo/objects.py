"""Objects, their types and attributes: accounts and the like that people belong to."""

import polars as pl

from cio_pipeline.demo.attributes import amount, joined, quoted
from cio_pipeline.demo.chance import below, choice, drawing, keyed, nth, odds
from cio_pipeline.demo.people import passed
from cio_pipeline.demo.world import DAY, HOUR, MINUTE, SECOND, Span, Workspace, finished

TYPE_NAMES = ("Accounts", "Companies", "Online courses", "Abos 🗞")
_DISABLED, _DELETED = 3, 4
"""The types that are disabled and deleted half-way through the history."""

PEOPLE_PER_OBJECT = 8
_PLANS = ("starter", "growth", "enterprise")


def type_rows(workspace: Workspace, span: Span) -> pl.DataFrame:
    """The rows of `object_types` that changed in the span.

    The third is disabled half-way through the history, the fourth deleted.
    """
    world = workspace.world
    half = world.origin + world.history // 2
    frame = pl.DataFrame({"object_type_id": pl.int_range(1, len(TYPE_NAMES) + 1, eager=True)})
    number = pl.col("object_type_id")
    changed = pl.when((number >= _DISABLED) & (half < span.end)).then(half + number * HOUR)
    frame = frame.with_columns(created=world.origin + number * MINUTE, changed=changed)
    is_changed = (pl.col("changed") < span.end).fill_null(value=False)
    last = pl.when(is_changed).then(pl.col("changed")).otherwise(pl.col("created"))
    rows = frame.with_columns(
        name=nth(number - 1, TYPE_NAMES),
        slug=nth(number - 1, ("accounts", "companies", "courses", "abos")),
        deleted=is_changed & (number == _DELETED),
        enabled=~(is_changed & (number == _DISABLED)),
        updated_at=last,
    )
    return finished(rows.filter(span.holds(pl.col("updated_at"))), "object_types", workspace.number)


def objects_frame(workspace: Workspace, until: int) -> pl.DataFrame:
    """All objects added before a time, with the moments of their lives.

    Columns: `number`, `key`, `added`, `renamed`, `deleted_at`, `round_1`, `round_2` (null where
    they never happen), type and internal id.
    """
    world = workspace.world
    pace = max(1, world.history * PEOPLE_PER_OBJECT // workspace.people)
    count = max(0, until - world.origin) // pace + 1
    frame = pl.DataFrame({"number": pl.int_range(count, eager=True)})
    frame = frame.with_columns(key=keyed(pl.col("number"), workspace.salt("object")))
    draw = drawing("key")
    added = world.origin + HOUR + pl.col("number") * pace + below(draw("added"), pace)
    frame = frame.with_columns(
        added=added,
        object_type_id=below(draw("type"), 3) + 1,
        internal_object_id=pl.format(
            "ob{}{}", workspace.number * 10**9 + pl.col("number") + 10**12, pl.col("key") % 1000
        ),
    ).filter(pl.col("added") < until)
    # One of the first is gone before the history ends, however small the workspace.
    example = pl.col("number") == 1
    life = pl.when(example).then(world.history // 5).otherwise(below(draw("life"), world.history))
    gone = example | (odds(draw("fate"), 0.12))
    frame = frame.with_columns(deleted_at=pl.when(gone).then(pl.col("added") + HOUR + life))
    first = pl.col("added") + MINUTE + below(draw("first"), 20 * DAY)
    second = first + MINUTE + below(draw("second"), 30 * DAY)
    renamed = pl.col("added") + 30 * SECOND + below(draw("renamed"), 40 * DAY)
    moments = {
        "renamed": pl.when(odds(draw("renames"), 0.1)).then(renamed),
        "round_1": first,
        "round_2": second,
    }
    end = pl.col("deleted_at")
    return frame.with_columns(
        pl.when(end.is_null() | (at < end)).then(at).alias(name) for name, at in moments.items()
    )


def object_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `objects` that changed in the span."""
    moments = ("added", "renamed", "deleted_at", "round_1", "round_2")
    number = pl.col("number") + 1
    renamed = passed("renamed", span.end).is_not_null()
    rows = frame.with_columns(
        object_id=pl.when(renamed)
        .then(pl.format("acct-{}-neu", number))
        .otherwise(pl.format("acct-{}", number)),
        deleted=passed("deleted_at", span.end).is_not_null(),
        created_at=pl.col("added"),
        updated_at=pl.max_horizontal(passed(name, span.end) for name in moments),
    )
    return finished(rows.filter(span.holds(pl.col("updated_at"))), "objects", workspace.number)


def object_attribute_rows(workspace: Workspace, frame: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `object_attributes` that changed in the span; `trial` is removed in round 1."""
    version = keyed(pl.col("key") + pl.col("timestamp").cast(pl.UInt64), 0)
    draw = drawing(version)
    headquarters = joined(
        '{"city":"',
        choice(draw("city"), ("Genève", "東京")),
        '","floor":',
        below(draw("f"), 9),
        "}",
    )
    name = joined('"Größe & Söhne ', (pl.col("number") + 1).cast(pl.String), '"')
    removed = pl.col("timestamp") > pl.col("added")
    values = {
        "name": (name, ()),
        "plan": (quoted(choice(draw("plan"), _PLANS)), ("round_1", "round_2")),
        "revenue": (amount(draw("revenue")), ("round_2",)),
        "headquarters": (headquarters, ("round_1",)),
        "trial": (pl.when(~removed).then(pl.lit("true")), ("round_1",)),
    }
    parts = [
        frame.with_columns(
            timestamp=pl.max_horizontal(passed(at, span.end) for at in ("added", *rounds))
        )
        .filter(span.holds(pl.col("timestamp")))
        .select(
            "object_type_id",
            "internal_object_id",
            "timestamp",
            attribute_name=pl.lit(attribute),
            attribute_value=value,
        )
        for attribute, (value, rounds) in values.items()
    ]
    return finished(pl.concat(parts), "object_attributes", workspace.number)

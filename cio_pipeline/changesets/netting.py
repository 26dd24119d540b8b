"""What a range of a change feed comes to, per identity.

The feed has a table's columns and CHANGE_TYPE, COMMIT_VERSION, COMMIT_TIME, in any order. It may
report several changes of an identity, also within one commit. What counts is the state after the
range against existence before it.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from cio_pipeline.model.changeset import (
    AGAIN,
    CHANGE,
    CHANGED,
    COMMITTED_AT,
    DELETED,
    GREW,
    NEW,
    VERSION,
)

CHANGE_TYPE = "_change_type"
"""`insert`, `update_preimage`, `update_postimage` or `delete` (String)."""

COMMIT_VERSION = "_commit_version"
"""The version that the change was committed in (Int64)."""

COMMIT_TIME = COMMITTED_AT
"""The time of that version (Datetime us UTC)."""

FEED: Mapping[str, pl.DataType] = {
    CHANGE_TYPE: pl.String(),
    COMMIT_VERSION: pl.Int64(),
    COMMIT_TIME: pl.Datetime("us", "UTC"),
}
"""What a change feed adds to a table's columns."""

INSERT, DELETE = "insert", "delete"

_THERE = "_there"
_FIRST = "_first"
_LAST = "_last"
_TIE = "_tie"


def net(feed: pl.LazyFrame, identity: Sequence[str], grows: str | None = None) -> pl.LazyFrame:
    """One row per identity that differs: its columns and those of `model/changeset.py` (D6).

    `new` and `changed` rows hold the state after the range, `deleted` ones that before it. A row
    that a commit both removed and put there is there. Equal states are no change. Rows that lack a
    part of their identity cannot be told apart: each one put there is `new`. GREW compares
    `grows`, the column that must grow with every change; it is null without one. AGAIN tells what
    the range itself shows: a row before it, which it does not touch, is not looked for.
    """
    identity = list(identity)
    # Sorted by identity and commit, an identity's first row tells the state before the range and
    # its last row that after it, so that neighbours are all that must be compared.
    columns = [name for name in feed.collect_schema().names() if name not in FEED]
    there = pl.col(CHANGE_TYPE).is_in([INSERT, "update_postimage"])
    # Rows that break the one-row-per-identity rule must not make the outcome depend on the order
    # that the feed happened to come in: the tie makes it a function of the rows.
    tie = pl.struct(columns).hash()
    ordered = feed.with_columns(there.alias(_THERE), tie.alias(_TIE)).sort(
        *identity, COMMIT_VERSION, _THERE, _TIE
    )
    anonymous = pl.any_horizontal(pl.col(name).is_null() for name in identity)
    ends = ordered.with_columns(
        _differs(identity, 1).alias(_FIRST),
        _differs(identity, -1).alias(_LAST),
        (pl.col(_THERE) & pl.col(_THERE).shift(1)).alias(AGAIN),
    ).filter(pl.col(_FIRST) | pl.col(_LAST) | anonymous)
    return _outcome(ends, columns, anonymous, grows)


def _differs(columns: list[str], step: int) -> pl.Expr:
    """Whether any of the columns differs from the row `step` rows before; nulls are equal."""
    at_edge = pl.int_range(pl.len()) == (0 if step > 0 else pl.len() - 1)
    return at_edge | pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift(step)) for c in columns)


def _change(columns: list[str], anonymous: pl.Expr) -> pl.Expr:
    """What each end of an identity's history stands for; null for nothing.

    The last row speaks for what is there, the first one for what is no more.
    """
    there, first, last = pl.col(_THERE), pl.col(_FIRST), pl.col(_LAST)
    existed = ~there.shift(1)
    gone = pl.when(last).then(~there).otherwise(~there.shift(-1))
    return (
        pl.when(anonymous)
        .then(pl.when(there).then(pl.lit(NEW)))
        .when(last & there & (first | ~existed))
        .then(pl.lit(NEW))
        .when(last & there & _differs(columns, 1))
        .then(pl.lit(CHANGED))
        .when(first & ~there & gone)
        .then(pl.lit(DELETED))
        .alias(CHANGE)
    )


def _outcome(
    ends: pl.LazyFrame, columns: list[str], anonymous: pl.Expr, grows: str | None
) -> pl.LazyFrame:
    """The ends that stand for something, with what they stand for.

    GREW compares a row that was and is there with the row before, its earlier state. AGAIN is true
    of a row that the row before has the identity of, if both are there. Version and time are those
    of the identity's last commit, on both ends.
    """
    last, own = pl.col(_LAST), pl.col(_LAST) | anonymous
    both = last & pl.col(_THERE) & ~pl.col(_FIRST)
    grew = pl.lit(None, pl.Boolean) if grows is None else pl.col(grows) > pl.col(grows).shift(1)
    version, time = (
        pl.when(own).then(pl.col(name)).otherwise(pl.col(name).shift(-1))
        for name in (COMMIT_VERSION, COMMIT_TIME)
    )
    outcome = ends.with_columns(
        _change(columns, anonymous),
        pl.when(both).then(grew).alias(GREW),
        (pl.col(AGAIN) & ~pl.col(_FIRST) & ~anonymous).fill_null(value=False).alias(AGAIN),
        version.cast(pl.Int64).alias(VERSION),
        time.alias(COMMITTED_AT),
    )
    found = outcome.filter(pl.col(CHANGE).is_not_null())
    grew_if_changed = pl.when(pl.col(CHANGE) == CHANGED).then(pl.col(GREW)).alias(GREW)
    return found.select(*columns, CHANGE, VERSION, COMMITTED_AT, grew_if_changed, AGAIN)

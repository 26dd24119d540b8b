"""Facts about rows, counted while they pass on their way into files: nothing is read again (O1).

Counts and names of events only, never a value of anybody's row. First files are not counted: there
is nothing to compare them with.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.model.volumes import EVENT, NOBODY, PERSON

Counts: TypeAlias = Mapping[int, tuple[tuple[str, int], ...]]
"""By workspace: kinds of rows, and how many of each there were."""

WHOM: Mapping[str, tuple[str, ...]] = {
    "people": ("customer_id", "email_addr"),
    "deliveries": ("internal_customer_id",),
    "subjects": ("internal_customer_id",),
    "events": ("internal_customer_id",),
}
"""Of each export that is looked at, the columns that tell who a row is about; one is enough."""

NAMES: Mapping[str, str] = {"events": "name"}
"""The column whose values are counted one by one."""

MOST_NAMES = 100
"""Names of a workspace that are counted: those with the most rows."""

LONGEST = 80
"""Characters of a name that are kept."""

MOST_KEPT = 200_000
"""Names of all workspaces that are kept in mind: of more, those with the most rows until then."""

_WORKSPACE, _KNOWN, _NAME, _ROWS = "workspace_id", "_known", "_name", "_rows"
_TOGETHER = 16
"""Pieces that are put together at a time, so that they stay few."""


@dataclass
class Passing:
    """How many rows pass, whatever becomes of them afterwards."""

    _heights: list[int] = field(default_factory=list[int])
    """Of the pieces: rows pass in several threads."""

    def watch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The same rows, counted each time that they are read."""

        def count(some: pl.DataFrame) -> pl.DataFrame:
            self._heights.append(some.height)
            return some

        # A later filter that Polars moved before it would take rows away uncounted.
        return rows.map_batches(count, predicate_pushdown=False, streamable=True)

    def total(self) -> int:
        """How many it were until now."""
        return sum(self._heights)


@dataclass
class Counting:
    """Counts of the rows of one encoding."""

    export: Export
    _pieces: deque[pl.DataFrame] = field(default_factory=deque[pl.DataFrame])
    """Rows pass in several threads: each piece is taken by one of them."""

    def watch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The same rows; what is asked of them is counted as they pass."""
        whom = WHOM.get(self.export.name)
        if whom is None:
            return rows
        shown = rows.collect_schema().names()
        told = (pl.col(name) for name in whom if name in shown)
        known = pl.any_horizontal(one.is_not_null() & (one != "") for one in told)
        asked = [pl.col(_WORKSPACE), known.alias(_KNOWN)]
        name = NAMES.get(self.export.name)
        if name is not None:
            asked.append(pl.col(name).str.head(LONGEST).alias(_NAME))
        passed = pl.struct(asked).map_batches(
            self._count, return_dtype=pl.Int64(), is_elementwise=True
        )
        return rows.with_columns(passed.alias(_WORKSPACE))

    def counts(self) -> Counts:
        """What was counted."""
        found: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        if not self._pieces:
            return {}
        whole = _added(self._pieces)
        known = whole.group_by(_WORKSPACE, _KNOWN).agg(pl.col(_ROWS).sum())
        for workspace, is_known, number in known.sort(_WORKSPACE, _KNOWN).iter_rows():
            found[workspace].append((PERSON if is_known else NOBODY, number))
        if _NAME in whole.columns:
            named = whole.filter(pl.col(_NAME).is_not_null())
            names = named.group_by(_WORKSPACE, _NAME).agg(pl.col(_ROWS).sum())
            most = names.sort(_ROWS, _NAME, descending=[True, False])
            for workspace, name, number in most.group_by(_WORKSPACE).head(MOST_NAMES).iter_rows():
                found[workspace].append((EVENT + name, number))
        return {workspace: tuple(its) for workspace, its in found.items()}

    def kept(self) -> int:
        """How many kinds of rows are kept in mind."""
        return sum(piece.height for piece in self._pieces)

    def _count(self, rows: pl.Series) -> pl.Series:
        about = rows.struct.unnest()
        if not about.is_empty():
            self._pieces.append(about.group_by(about.columns).len(_ROWS))
        if len(self._pieces) >= _TOGETHER and (taken := [*self._taken()]):
            self._pieces.append(_added(taken))
        return about[_WORKSPACE]

    def _taken(self) -> Iterator[pl.DataFrame]:
        with suppress(IndexError):
            for _ in range(_TOGETHER):
                yield self._pieces.popleft()


def _added(pieces: Collection[pl.DataFrame]) -> pl.DataFrame:
    whole = pl.concat(pieces)
    keys = [name for name in whole.columns if name != _ROWS]
    added = whole.group_by(keys).agg(pl.col(_ROWS).sum())
    if _NAME not in keys or added.height <= MOST_KEPT:
        return added
    most = added.sort(_ROWS, descending=True)
    nameless = most.slice(MOST_KEPT).with_columns(pl.lit(None, pl.String).alias(_NAME))
    others = nameless.group_by(keys).agg(pl.col(_ROWS).sum())
    return pl.concat([most.head(MOST_KEPT), others.select(most.columns)])

"""Slices: what of a plan's rows is sealed, delivered and committed at a time.

How rows fall into slices is a promise to open plans, in every process and release: change it only
together with a new field in the plan.
"""

from dataclasses import dataclass
from typing import TypeAlias

from cio_pipeline.model.cuts import TableSlice

Arrival: TypeAlias = tuple[int, int]
"""A commit's version and an arrival in it: where a row stands in the order in which it came."""


@dataclass(frozen=True)
class HashBucket:
    """Changed rows whose `by`, hashed, leave `number` when divided by `of`.

    `by` are columns of the source table's identity: all changes of a row are in one bucket.
    """

    number: int
    of: int
    by: tuple[str, ...]


@dataclass(frozen=True)
class Stretch:
    """Changed rows from the place `start` to before `stop`; None where it has no end."""

    start: Arrival | None = None
    stop: Arrival | None = None


Part: TypeAlias = HashBucket | Stretch
"""A slice of what changed between two cuts."""

Slice: TypeAlias = TableSlice | Part
"""A slice of a table at a cut, or of what changed between two."""

"""Breaches: what in the source breaks its contract and stops nobody; it is counted and told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cio_pipeline.model.times import utc


class BreachKind(StrEnum):
    """What the source did that it promised not to (docs/source-tables.md)."""

    CHANGED = "changed"
    DELETED = "deleted"
    WENT_BACK = "went back"
    REPEATED = "repeated"
    CAME_AGAIN = "came again"
    NOBODYS = "nobody's"


_WORDS = {
    BreachKind.CHANGED: "rows of an append-only table changed; they are not sent",
    BreachKind.DELETED: "rows were deleted; readers cannot be told of it",
    BreachKind.WENT_BACK: "rows changed but their time or number did not grow; they are sent, but "
    "readers may keep the older state",
    BreachKind.REPEATED: "rows were put there though their identity was there; one of each is sent",
    BreachKind.CAME_AGAIN: "rows came though an earlier window of that day had brought their "
    "identity; both were sent",
    BreachKind.NOBODYS: "rows have no workspace_id; they are nobody's",
}


@dataclass(frozen=True)
class Breach:
    """So many rows of a source table that broke its contract in a changeset."""

    table: str
    kind: BreachKind
    rows: int

    def __str__(self) -> str:
        return f"{self.table}: {self.rows} {_WORDS[self.kind]}."


@dataclass(frozen=True)
class Breaches:
    """All breaches of a kind: in how many windows, the ends of the first and last, and rows.

    `last` is that of the last window, `rows` are those of all.
    """

    last: Breach
    first_at: datetime
    last_at: datetime
    windows: int
    rows: int

    def __str__(self) -> str:
        windows = f"in {self.windows} windows, last" if self.windows > 1 else "in a window"
        return f"{self.rows} {_WORDS[self.last.kind]} ({windows} cut at {utc(self.last_at)})"

"""What was seen when somebody looked last: the columns of a source table, a sync's bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

Columns: TypeAlias = Mapping[str, str]
"""Types by name, in the source's own words."""


@dataclass(frozen=True)
class SeenColumns:
    """The columns of a table as they are, as they were `before` they changed last, and when."""

    table: str
    columns: Columns = field(hash=False)
    before: Columns | None = field(hash=False)
    changed_at: datetime

    def followed_by(self, columns: Columns, at: datetime) -> "SeenColumns":
        """What is remembered after another look: the last change stays until the next one."""
        if self.columns == columns or at < self.changed_at:
            return self
        return SeenColumns(self.table, columns, self.columns, at)


@dataclass(frozen=True)
class BucketLook:
    """A look into a sync's bucket: how many files were `missing`, and the names of some.

    `looked_at` is when it had its turn, whether it answered or not.

    `gaps` are numbers in no manifest, `twice` keys in several. Up to manifest `ordinal` all was in
    order; the next look begins with it.
    """

    sync_id: str
    looked_at: datetime
    ordinal: int
    missing: int
    named: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()

    @property
    def in_order(self) -> bool:
        """Whether nothing was odd."""
        return not (self.missing or self.gaps or self.twice)

"""Cuts: what a source held at a moment, as one version per table. A position is a delivered cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from operator import is_
from typing import Annotated

from pydantic import Field

from cio_pipeline.model.times import utc

LOOKS = 32
"""So many earlier looks at the rest of a table are kept: the oldest, which windows reach first."""


@dataclass(frozen=True)
class TableCut:
    """One table at one version. `table_id` changes when a table is dropped and made again.

    Versions of a table grow. Where a number alone does not tell what the table held, `snapshot`
    does, in the source's own words.
    """

    table_id: str
    version: int
    # Not written where there is none: the bytes of manifests are hashed.
    snapshot: Annotated[str | None, Field(exclude_if=partial(is_, None))] = None


@dataclass(frozen=True)
class TableSlice:
    """Rows `[start, stop)` of a table at a cut, counted in the fixed order of its snapshot."""

    start: int
    stop: int


@dataclass(frozen=True)
class Waiting:
    """Commits that wait for a time which one of them names on purpose (`cio.committed_at`).

    Version `version` lies ahead, at `until`; it waits with all `commits` from it on. `since` is the
    time of the first that only waits behind it: None if there is none.
    """

    version: int
    commits: int
    until: datetime
    since: datetime | None = None

    def __str__(self) -> str:
        behind = f", with {self.commits - 1} later commits," if self.commits > 1 else ""
        dated = f"Version {self.version} is dated {utc(self.until)}"
        waits = f"{dated} by its cio.committed_at{behind} and waits until then."
        if self.since is None:
            return waits
        return f"{waits} What was committed since {utc(self.since)} is late."


@dataclass(frozen=True)
class Rest:
    """Commits of a table that were there when a cut was decided, and do not belong to it.

    They go up to `upto` and were seen at `seen_at`, of our clock: a commit that names a later time
    counts as committed then, unless it does so on purpose. `earlier` are (version, time) of looks
    that saw the commits up to a lower version before, in their order.
    """

    upto: TableCut
    seen_at: datetime
    waiting: Waiting | None = None
    earlier: tuple[tuple[int, datetime], ...] = ()

    def first_seen(self, table: TableCut) -> datetime | None:
        """When a version of the table was first seen; None if it has not been."""
        if table.table_id != self.upto.table_id:
            return None
        looks = (*self.earlier, (self.upto.version, self.seen_at))
        return next((time for version, time in looks if table.version <= version), None)

    def following(self, before: "Rest", reached: int, at: datetime) -> "Rest":
        """Itself, with when the cut before saw what is later than `reached`.

        All looks from before `at`, the end of the window, are one: no later window ends before it.
        """
        if before.upto.table_id != self.upto.table_id:
            return self
        looks = [*before.earlier, (before.upto.version, before.seen_at)]
        looks = [look for look in looks if reached < look[0] < self.upto.version]
        past = max((n for n, (_, time) in enumerate(looks) if time < at), default=0)
        first = before.first_seen(self.upto) or self.seen_at
        return replace(self, seen_at=first, earlier=tuple(looks[past:][:LOOKS]))


@dataclass(frozen=True)
class Look:
    """What a table holds before a time: `reached`, None if nothing; and what it holds besides.

    Both are None for a table that does not exist.
    """

    reached: TableCut | None
    rest: Rest | None = None


@dataclass(frozen=True)
class Cut:
    """The source at a window's end `at`: everything committed before it, in every table.

    `tables` maps the table's name; each is decided once and stored, and never computed again.
    `undecided` are those that could not be read: they stand where they stood, until a later run
    decides them. `rest` maps tables that hold more than belongs to the cut.
    """

    at: datetime
    tables: Mapping[str, TableCut] = field(hash=False)
    rest: Mapping[str, Rest] = field(
        default_factory=dict[str, Rest], hash=False, compare=False, kw_only=True
    )
    undecided: frozenset[str] = field(default=frozenset(), compare=False, kw_only=True)

    def waiting(self, name: str) -> Waiting | None:
        """What of a table waits for a time ahead."""
        rest = self.rest.get(name)
        return rest.waiting if rest else None

    @property
    def decided(self) -> Mapping[str, TableCut]:
        """The tables that stay as they are."""
        return {name: cut for name, cut in self.tables.items() if name not in self.undecided}


def completed(stored: Cut, found: Cut) -> Cut:
    """A stored cut with those of its undecided tables that another decision of it has found."""
    news = stored.undecided - found.undecided
    tables = {name: cut for name, cut in stored.tables.items() if name not in news}
    rest = {name: rest for name, rest in stored.rest.items() if name not in news}
    tables |= {name: found.tables[name] for name in news if name in found.tables}
    rest |= {name: found.rest[name] for name in news if name in found.rest}
    return replace(stored, tables=tables, rest=rest, undecided=stored.undecided - news)

"""The simulated world: its workspaces, its time, and rows in the form of the source tables.

Times are microseconds since 1970 (Int64) until a row is finished.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.demo.chance import key_of, keyed
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.times import micros


@dataclass(frozen=True)
class DemoSize:
    """What is simulated.

    `people` and `messages_per_person` are sums over all workspaces at the end of the history;
    the first workspace is the largest. Ten days pass between two edits of a campaign.
    """

    workspaces: int
    people: int
    history_days: int
    messages_per_person: int
    events_per_person: int
    campaigns: int = 8


TINY = DemoSize(
    workspaces=2, people=60, history_days=45, messages_per_person=8, events_per_person=6
)
SMALL = DemoSize(
    workspaces=6, people=3_000, history_days=60, messages_per_person=10, events_per_person=8
)
MEDIUM = DemoSize(
    workspaces=10, people=30_000, history_days=90, messages_per_person=14, events_per_person=10
)
LARGE = DemoSize(
    workspaces=20, people=800_000, history_days=90, messages_per_person=14, events_per_person=10
)

SIZES = {"tiny": TINY, "small": SMALL, "medium": MEDIUM, "large": LARGE}
"""The presets: seconds, about ten seconds, a million metrics, tens of millions of them."""


def named_size(name: str) -> DemoSize:
    """A preset; raises InvalidConfig, naming the known ones."""
    try:
        return SIZES[name]
    except KeyError:
        known = ", ".join(SIZES)
        raise InvalidConfig(f"There is no demo size {name!r}.", f"Choose one of {known}.") from None


SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Span:
    """The half-open time `[start, end)` whose changes are asked for."""

    start: int
    end: int

    def holds(self, at: pl.Expr) -> pl.Expr:
        """Whether a time lies in the span."""
        return (at >= self.start) & (at < self.end)


@dataclass(frozen=True)
class World:
    """All that the simulation depends on. The history lies in `[origin, until)`."""

    size: DemoSize
    seed: int
    origin: int
    until: int

    @property
    def history(self) -> int:
        """The length of the history."""
        return self.until - self.origin

    @property
    def past(self) -> Span:
        """The whole history, with what marketers prepared before the origin."""
        return Span(self.origin - 30 * DAY, self.until)


@dataclass(frozen=True)
class Workspace:
    """A workspace: half of its `people` come by import at the origin, the others day by day."""

    world: World
    number: int
    people: int

    @property
    def imported(self) -> int:
        """How many people the import brought, in the first hour."""
        return self.people // 2

    @property
    def slot(self) -> int:
        """The time between two sign-ups after the import."""
        return (self.world.history - HOUR) // (self.people - self.imported)

    def alive(self, at: int) -> int:
        """How many people had surely signed up by a time after the first hour."""
        return self.imported + max(0, at - self.world.origin - HOUR) // self.slot

    def salt(self, purpose: str) -> int:
        """The key of one kind of things in this workspace."""
        return key_of(self.world.seed, self.number, purpose)

    def persons(self, number: pl.Expr) -> pl.Expr:
        """Keys of people by their number."""
        return keyed(number, self.salt("person"))


def world_of(size: DemoSize, seed: int, until: datetime) -> World:
    """The world whose history ends at `until`."""
    end = micros(until)
    return World(size, seed, end - size.history_days * DAY, end)


def workspaces_of(world: World) -> list[Workspace]:
    """The workspaces, each smaller than the one before, none empty."""
    shares = [1 / number for number in range(1, world.size.workspaces + 1)]
    people = [max(10, round(world.size.people * share / sum(shares))) for share in shares]
    return [Workspace(world, number, count) for number, count in enumerate(people, 1)]


def seq_num(at: pl.Expr) -> pl.Expr:
    """The sequence number of a change: grows with its time, has 18 digits."""
    return at * 100


def finished(frame: pl.DataFrame, table: str, workspace: int) -> pl.DataFrame:
    """Rows in the form of a source table: its columns, in order; missing ones are null."""
    schema = source_schema(SOURCE_TABLES[table])
    present = frame.with_columns(workspace_id=pl.lit(workspace)).columns
    return frame.with_columns(workspace_id=pl.lit(workspace)).select(
        (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )

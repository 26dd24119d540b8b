"""What is asked of a load, and what came of it."""

from collections.abc import Collection
from dataclasses import dataclass

from cio_pipeline.reader.warehouse.database import checked_schema

REBUILD = "Look which feed is meant; `--rebuild` loads it from scratch."
ITS_OWN = "Give each feed a schema of its own with --schema."


@dataclass(frozen=True)
class Target:
    """Where a feed comes from and goes to."""

    place: str
    schema: str | None
    rebuild: bool
    kept: Collection[str] = ()

    def drops(self, schema: str) -> bool:
        """Whether what was loaded of a schema goes first."""
        return self.rebuild and schema not in self.kept

    def named(self, by_default: str) -> str:
        """The schema's name: the one that was given, or a name as SQL likes them."""
        return checked_schema(self.schema or by_default.replace("-", "_"))


@dataclass(frozen=True)
class Loaded:
    """What came of loading a feed: manifests `first` to `last` (None: none), files and rows.

    `rewritten` counts files that were loaded again. `unproven` says what cannot be said of it.
    """

    place: str
    schema: str
    first: int | None
    last: int | None
    files: int
    rows: int
    rewritten: int
    unproven: str | None = None

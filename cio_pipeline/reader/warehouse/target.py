"""What is asked of a load, and what came of it."""

from collections.abc import Collection
from dataclasses import dataclass

from cio_pipeline.model.errors import WarehouseUnusable
from cio_pipeline.reader.warehouse.database import checked_schema, default_schema

REBUILD = (
    "Look which feed is meant; `--rebuild` loads it from scratch, of all places that it was in."
)
ITS_OWN = "Give each feed a schema of its own with --schema."


@dataclass(frozen=True)
class Others:
    """The places that one call loaded before: into which schemas, and whether one failed."""

    schemas: Collection[str] = ()
    failed: bool = False


ALONE = Others()


@dataclass(frozen=True)
class Target:
    """Where a feed comes from and goes to."""

    place: str
    schema: str | None
    rebuild: bool
    others: Others = ALONE

    def drops(self, schema: str) -> bool:
        """Whether what was loaded of a schema goes first."""
        return self.rebuild and schema not in self.others.schemas

    def require_beginning(self) -> None:
        """Raise WarehouseUnusable where a place begins a schema that another place should have.

        Of a sync that was moved; what lies in the other one would be left out for good.
        """
        if self.others.failed:
            raise WarehouseUnusable(
                "The sync was moved here, and another place could not be loaded.",
                "Load them all again once that is mended; if it is another sync's, this one alone.",
            )

    def named(self, by_default: str) -> str:
        """The schema's name: the one that was given, or a name as SQL likes them."""
        return checked_schema(self.schema or default_schema(by_default))


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

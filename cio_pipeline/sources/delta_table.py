"""Opening the Delta table of a source table, at a version, with errors that name it."""

from collections.abc import Mapping
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import SourceGone, TableReplaced
from cio_pipeline.sources.delta_log import CommitLog
from cio_pipeline.sources.errors import translate
from cio_pipeline.sources.places import for_deltalake, local_path, require_usable

NEW_SOURCE = "Create the tables with `cio-pipeline source init`, or correct CIO_SOURCE."


@dataclass(frozen=True)
class DeltaTables:
    """A folder, local or in a store, that holds one Delta table per source table.

    Raises InvalidConfig for a place that deltalake cannot use.
    """

    uri: str
    storage_options: Mapping[str, str]

    def __post_init__(self) -> None:
        require_usable(self.uri)

    def location(self, table: str) -> str:
        """Where a table is, as deltalake takes it."""
        return for_deltalake(f"{self.uri.rstrip('/')}/{table}")

    def log(self, table: str) -> CommitLog:
        """The log of a table."""
        return CommitLog(table, f"{self.uri.rstrip('/')}/{table}", self.storage_options)

    def latest(self, table: str) -> DeltaTable | None:
        """A table at its latest version; None if there is none.

        Raises SourceUnavailable, SourceError.
        """
        try:
            return DeltaTable(self.location(table), storage_options=dict(self.storage_options))
        except TableNotFoundError:
            return None
        except Exception as error:
            raise (translate(error, table, None) or error) from error

    def at(self, table: str, cut: TableCut) -> DeltaTable:
        """A table at a cut. Raises VersionGone, TableReplaced, SourceUnavailable, SourceError."""
        try:
            found = DeltaTable(
                self.location(table),
                version=cut.version,
                storage_options=dict(self.storage_options),
            )
        except Exception as error:
            raise (translate(error, table, cut.version) or error) from error
        if str(found.metadata().id) != cut.table_id:
            raise replaced(table, cut, TableCut(str(found.metadata().id), found.version()))
        return found

    def require_root(self) -> None:
        """Raise SourceGone if the folder is known not to exist."""
        path = local_path(self.uri)
        if path is not None and not path.is_dir():
            raise SourceGone("The source's folder does not exist.", NEW_SOURCE)


def replaced(table: str, then: TableCut, now: TableCut) -> TableReplaced:
    """The error for a table that is not the one of an earlier cut."""
    return TableReplaced(
        f"Table {table} was replaced: it was {then.table_id} at version {then.version} and is now "
        f"{now.table_id} at version {now.version}.",
        "Put the old table back, or register the syncs that read it under new ids.",
    )

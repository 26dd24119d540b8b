"""Leaving out rows that a table holds already, so that a file can be loaded again (C2, M1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceGone
from cio_pipeline.sources.delta_scan import scan
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables
from cio_pipeline.sources.features import require_readable


@dataclass
class KnownRows:
    """The rows of a table as they are told apart by some columns, the identity among them.

    `met` counts the rows that were left out since the table holds them. Of the table, identities
    are read once a batch, in constant memory, and other columns only where some are known.
    """

    identity: Sequence[str]
    told_by: Sequence[str]
    rows: pl.LazyFrame
    met: int = 0

    def without(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What the table does not hold yet of each batch, in the order that it came in."""
        for batch in batches:
            ids = self._there(batch.lazy(), self.identity)
            if ids.is_empty():
                yield batch
                continue
            known = self._there(ids.lazy(), self.told_by)
            new = batch.join(known, on=self.told_by, how="anti", maintain_order="left")
            self.met += batch.height - new.height
            if not new.is_empty():
                yield new

    def _there(self, rows: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the table's rows that have the identities of these."""
        wanted = rows.select(self.identity).unique()
        found = self.rows.join(wanted, on=self.identity, how="semi").select(columns).unique()
        return found.collect(engine="streaming")


def known_rows(
    uri: str, table: SourceTable, told_by: Sequence[str], storage_options: Mapping[str, str]
) -> KnownRows:
    """The rows of a table as it is now; raises SourceGone, SourceUnavailable, SourceError."""
    found = DeltaTables(uri, storage_options).latest(table.name)
    if found is None:
        raise SourceGone(f"Table {table.name} does not exist.", NEW_SOURCE)
    require_readable(found, table)
    return KnownRows(table.identity, told_by, scan(found, table, storage_options))

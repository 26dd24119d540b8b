"""Leaving out rows that a table holds already, so that a file can be loaded again (C2, M1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceGone
from cio_pipeline.sources.delta_scan import scan
from cio_pipeline.sources.delta_table import NEW_SOURCE, DeltaTables

_ALSO = {"messages": ("metadata", "payload")}
"""What tells rows of one identity apart: a message may come again changed."""


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
            new = batch.join(
                known, on=self.told_by, how="anti", nulls_equal=True, maintain_order="left"
            )
            self.met += batch.height - new.height
            if not new.is_empty():
                yield new

    def _there(self, rows: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the table's rows that have the identities of these."""
        wanted = rows.select(self.identity).unique()
        found = self.rows.join(wanted, on=self.identity, how="semi").select(columns).unique()
        return found.collect(engine="streaming")


def new_rows(
    uri: str, table: SourceTable, rows: pl.DataFrame, storage_options: Mapping[str, str]
) -> tuple[pl.DataFrame, int]:
    """The rows that neither a table nor an earlier one of them holds, and how many others are.

    Raises SourceGone, SourceUnavailable, SourceError.
    """
    known = known_rows(uri, table, storage_options)
    once = rows.unique(known.told_by, keep="first", maintain_order=True)
    new = pl.concat([rows.clear(), *known.without([once])])
    return new, rows.height - new.height


def missing_rows(
    uri: str,
    table: SourceTable,
    rows: pl.DataFrame,
    workspaces: Sequence[int],
    storage_options: Mapping[str, str],
) -> pl.DataFrame:
    """The identities that a table holds of some workspaces and that are not among these rows.

    Raises as known_rows.
    """
    known = known_rows(uri, table, storage_options)
    theirs = known.rows.filter(pl.col("workspace_id").is_in(workspaces)).select(known.identity)
    there = rows.lazy().select(known.identity)
    found = theirs.join(there, on=known.identity, how="anti", nulls_equal=True)
    return found.collect(engine="streaming").sort(known.identity)


def known_rows(uri: str, table: SourceTable, storage_options: Mapping[str, str]) -> KnownRows:
    """The rows of a table as it is now.

    Raises ColumnMismatch, SourceGone, SourceUnavailable, SourceError.
    """
    found = DeltaTables(uri, storage_options).latest(table)
    if found is None:
        raise SourceGone(f"Table {table.name} does not exist.", NEW_SOURCE)
    found.require_readable()
    told_by = (*table.identity, *_ALSO.get(table.name, ()))
    rows = scan(found).select(found.columns)
    return KnownRows(table.identity, told_by, rows)

"""The rows of a table's files as Polars asks for them: batch by batch, newest ones or all."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cio_pipeline.ports import Destination
from cio_pipeline.reader.copies import Copies, copies_of
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.newest import PLACE, newest_places
from cio_pipeline.reader.tables import Kind, Table, rows_of
from cio_pipeline.reader.unreadable import readable

BATCH = 50_000
"""Rows that are read at a time."""

_LEAST_BYTES = 20
"""A row takes more in a file: how many there are at most, where no manifest tells."""


@dataclass(frozen=True)
class Scan:
    """Reads the rows of some files, batch by batch, as Polars asks for them."""

    destination: Destination
    kind: Kind
    table: Table
    files: Sequence[FeedFile]
    newest: bool

    def __call__(
        self,
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,  # noqa: ARG002 - Polars' protocol
    ) -> Iterator[pl.DataFrame]:
        """Batches of the asked columns; the predicate is applied after the newest are found."""
        names = list(self.table.schema.names()) if with_columns is None else with_columns
        left = n_rows
        with copies_of(self.destination) as copies:
            for batch in self._batches(copies, names):
                found = batch if left is None else batch.head(left)
                left = None if left is None else left - found.height
                yield found if predicate is None else found.filter(predicate)
                if left == 0:
                    return

    def _batches(self, copies: Copies, names: Sequence[str]) -> Iterator[pl.DataFrame]:
        if not self.newest:
            yield from (batch for _, batch in self._all(copies, names))
            return
        places = self._newest_places(copies)
        at = 0
        for first, batch in self._all(copies, names):
            end = int(places.search_sorted(first + batch.height))
            here = places[at:end]
            at = end
            yield batch if len(here) == batch.height else batch[here - first]

    def _newest_places(self, copies: Copies) -> pl.Series:
        table = self.table
        by = () if table.newest_by is None else (table.newest_by,)
        rows = sum(map(_about, self.files))
        keys = (
            batch.with_columns(pl.int_range(first, first + batch.height).alias(PLACE))
            for first, batch in self._all(copies, list(dict.fromkeys((*table.key, *by))))
        )
        with tempfile.TemporaryDirectory(prefix="cio-newest-") as scratch:
            return newest_places(keys, table.key, table.newest_by, rows=rows, scratch=Path(scratch))

    def _all(self, copies: Copies, names: Sequence[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        """The columns of all rows, with the place of the first of each batch."""
        first = 0
        for file, path in copies.all_of(self.files):
            with readable(file):
                rows = rows_of(self.kind, self.table, file, path).select(names)
                for batch in rows.collect_batches(
                    chunk_size=BATCH, maintain_order=True, engine="streaming"
                ):
                    if batch.height:
                        yield first, batch
                        first += batch.height
            copies.unchanged(file, path)


def _about(file: FeedFile) -> int:
    """How many rows a file has, or could have."""
    return file.bytes // _LEAST_BYTES if file.rows is None else file.rows

"""The product that both window benchmarks run: many syncs of all exports, all of it delivered."""

from datetime import timedelta
from pathlib import Path

from benchmarks.product import BEFORE, NEXT, NOON, Product, empty_source, fill, is_mutable
from benchmarks.rows import numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES

HISTORY = 50
"""Rows that each workspace has in each table before the measured window."""

CHANGED = 10
"""Rows in each workspace and table that are committed in the measured window."""


def prepare(folder: str, syncs: int, *, changes: bool) -> None:
    """Tables with history and, if wanted, changes; a ledger whose positions are `BEFORE`."""
    product = Product(Path(folder), Path(folder) / "source")
    empty_source(product.folder)
    for table in SOURCE_TABLES.values():
        old = rows(table, numbered(syncs, 0, HISTORY), NOON - timedelta(days=3))
        fill(product.folder, table, old, BEFORE)
        if changes:
            # Half of them change a row that is there already, where rows change at all.
            first = HISTORY - CHANGED // 2 if is_mutable(table) else HISTORY
            new = rows(table, numbered(syncs, first, CHANGED), NEXT.start, revision=2)
            fill(product.folder, table, new, NEXT)
    product.register(syncs)
    product.count_as_delivered()

"""Rows that come one by one, as frames of a bounded size."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

BATCH_ROWS = 10_000
BATCH_CHARACTERS = 32 * 2**20
"""A batch is full at so many rows, or at so many characters of payload."""


def in_batches(rows: Iterable[Mapping[str, Any]], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """Frames of rows, in the order that they come in; each row has a `payload` text."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row["payload"])
        if len(batch) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield pl.DataFrame(batch, schema)
            batch, size = [], 0
    if batch:
        yield pl.DataFrame(batch, schema)

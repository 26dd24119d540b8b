"""JSON texts that lie one after another in memory, as a column: none of them becomes a value."""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import polars as pl

from cio_pipeline.contracts.arrow import arrow


def column_of(raws: Sequence[Any], texts: bytes) -> pl.Series:
    """The texts of `raws`, which are `texts` together; null for empty ones."""
    lengths = [*map(len, raws)]
    pa = arrow()
    ends = pa.py_buffer(array("q", accumulate(lengths, initial=0)))
    buffers = (ends, pa.py_buffer(texts))
    found = pl.Series(pa.LargeStringArray.from_buffers(len(raws), *buffers), dtype=pl.String)
    return found if all(lengths) else nothing(len(found)).zip_with(found == "", found)


def nothing(rows: int) -> pl.Series:
    """So many nulls."""
    return pl.Series([None], dtype=pl.String).new_from_index(0, rows)

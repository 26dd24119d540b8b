"""Writing a Parquet file of an export again, with fewer or emptied rows."""

from pathlib import Path

import polars as pl

from cio_pipeline.contracts.arrow import ArrowSchema
from cio_pipeline.files.encode import ZSTD_LEVEL
from cio_pipeline.files.footers import finish

_OURS = "cio."
"""How the names of the footer entries begin that are ours (D2)."""


def rewrite_parquet(copy: Path, rows: pl.LazyFrame, to: Path, schema: ArrowSchema) -> None:
    """Write `rows`, made of those of `copy`, with their schema and its footer's entries.

    Raises what Polars and the disk raise.
    """
    told = pl.read_parquet_metadata(copy)
    rows.sink_parquet(
        to,
        arrow_schema=schema,
        metadata={name: value for name, value in told.items() if name.startswith(_OURS)},
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        statistics=True,
        maintain_order=True,
        engine="streaming",
    )
    finish(str(to), None, "us")

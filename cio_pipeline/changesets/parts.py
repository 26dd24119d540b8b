"""Which rows of a change feed belong to a slice, and where the order of rows is cut."""

from collections.abc import Iterator
from itertools import pairwise
from zlib import crc32

import polars as pl

from cio_pipeline.changesets.netting import COMMIT_VERSION
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.model.slices import Arrival, HashBucket, Part, Stretch

BLOCKS = 16
"""A slice is cut at a multiple of a sixteenth of its rows: so few places are counted."""

_LAST = 2**63 - 1
_SEPARATOR = "\x1f"


def belongs(part: Part) -> pl.Expr:
    """Whether a row of a change feed belongs to a slice."""
    if isinstance(part, HashBucket):
        return pl.lit(value=True) if part.of == 1 else key_of(part.by) % part.of == part.number
    after = pl.lit(value=True) if part.start is None else ~_before(part.start)
    return after if part.stop is None else after & _before(part.stop)


def key_of(by: tuple[str, ...]) -> pl.Expr:
    """The CRC-32 (ISO 3309) of columns as text: the same in every process and release (UInt32)."""
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in by]
    text = pl.concat_str(texts, separator=_SEPARATOR).cast(pl.Binary)
    return text.map_batches(_crc32, return_dtype=pl.UInt32(), is_elementwise=True)


def counted_columns(table: SourceTable) -> list[str]:
    """The columns of a table's change feed that `blocks_of` reads."""
    tells_arrival = any(column.name == ARRIVAL for column in table.columns)
    return ["workspace_id", COMMIT_VERSION, *([ARRIVAL] if tells_arrival else [])]


def blocks_of(feed: pl.DataFrame, rows: int) -> pl.DataFrame:
    """How many rows of a feed there are by workspace_id, version and block of arrivals: `len`.

    `rows` is how many a slice may hold. A row that does not tell its arrival comes last.
    """
    size = max(1, rows // BLOCKS)
    block = _arrival() // size * size if ARRIVAL in feed.columns else pl.lit(0, dtype=pl.Int64)
    return feed.group_by("workspace_id", COMMIT_VERSION, block.alias(ARRIVAL)).len()


def stretches_of(blocks: pl.DataFrame, rows: int) -> list[Stretch]:
    """A workspace's counted blocks as stretches of at most `rows` rows each, or of one block."""
    counted = blocks.group_by(COMMIT_VERSION, ARRIVAL).agg(pl.col("len").sum())
    ends = [None, *_starts(counted, rows), None]
    return [Stretch(*ends_of) for ends_of in pairwise(ends)]


def _starts(blocks: pl.DataFrame, rows: int) -> Iterator[Arrival]:
    """Where all stretches but the first begin."""
    held = 0
    for version, arrival, count in blocks.sort(COMMIT_VERSION, ARRIVAL).iter_rows():
        if held and held + count > rows:
            yield version, arrival
            held = 0
        held += count


def _before(place: Arrival) -> pl.Expr:
    version, arrival = place
    same = pl.col(COMMIT_VERSION) == version
    return (pl.col(COMMIT_VERSION) < version) | (same & (_arrival() < arrival))


def _arrival() -> pl.Expr:
    return pl.col(ARRIVAL).fill_null(_LAST)


def _crc32(texts: pl.Series) -> pl.Series:
    return pl.Series([crc32(text) for text in texts.to_list()], dtype=pl.UInt32)

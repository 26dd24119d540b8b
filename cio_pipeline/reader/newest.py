"""Which rows are the newest of what they speak of, in bounded memory (D1).

Rows are told by their places in the order of the files. Keys alone are read for it; where they are
many, they are first sorted out into parts on disk, each of which has all rows of its keys.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

PLACE = "_cio_place"
"""The place of a row among all rows of its table."""

AT_ONCE = 1_000_000
"""Rows whose keys are compared at a time."""

_PART = "_cio_part"


def newest_places(
    keys: Iterable[pl.DataFrame],
    key: Sequence[str],
    newest_by: str | None,
    *,
    rows: int,
    scratch: Path,
) -> pl.Series:
    """The places of the newest rows, sorted.

    `keys` have the columns of `key`, `newest_by` and PLACE; `rows` is about how many there are.
    Of rows with an equal `newest_by` the one with the largest place counts.
    """
    parts = -(-rows // AT_ONCE)
    if parts <= 1:
        frames = list(keys)
        return _newest(pl.concat(frames), key, newest_by) if frames else _NONE
    names = _sorted_out(keys, key, parts, scratch)
    # A part at a time, since all keys together may be larger than memory.
    found = [_newest(pl.scan_ipc(files).collect(), key, newest_by) for files in names]
    return pl.concat(found).sort()


_NONE = pl.Series(PLACE, dtype=pl.Int64)


def _newest(keys: pl.DataFrame, key: Sequence[str], newest_by: str | None) -> pl.Series:
    order = [PLACE] if newest_by is None else [newest_by, PLACE]
    last = keys.sort(order).unique(list(key), keep="last", maintain_order=False)
    return last[PLACE].sort()


def _sorted_out(
    keys: Iterable[pl.DataFrame], key: Sequence[str], parts: int, scratch: Path
) -> list[list[Path]]:
    """Files of each part. Equal keys are in one part."""
    names: list[list[Path]] = [[] for _ in range(parts)]
    part = (pl.struct(key).hash(seed=0) % parts).alias(_PART)
    for number, batch in enumerate(keys):
        for (which,), rows in batch.with_columns(part).partition_by(_PART, as_dict=True).items():
            path = scratch / f"{which}-{number}.arrow"
            rows.drop(_PART).write_ipc(path, compression="lz4")
            names[int(which)].append(path)
    return [files for files in names if files]

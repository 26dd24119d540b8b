"""JSON objects out of the JSON texts of their members, many at a time."""

from collections.abc import Mapping
from typing import Any, cast

import polars as pl


def objects_of(
    members: Mapping[str, pl.Series], comma: str = ",", colon: str = ":", end: str = ""
) -> pl.Series:
    """An object a row, of members by their quoted names, in that order; null ones are left out."""
    pieces: list[pl.Expr] = []
    for key, texts in members.items():
        begin, text = pl.lit(f"{comma}{key}{colon}"), pl.lit(texts)
        if texts.null_count():
            pieces.append(pl.concat_str(begin, text).fill_null(""))
        else:
            pieces += [begin, text]
    if next(iter(members.values())).null_count():
        pieces = [pl.concat_str(pieces).str.slice(len(comma))]
    else:
        pieces[0] = pl.lit(f"{next(iter(members))}{colon}")
    return pl.select(pl.concat_str(pl.lit("{"), *pieces, pl.lit("}" + end))).to_series()


def bytes_of(texts: pl.Series) -> memoryview:
    """Texts, of which there are some, one after another as they lie in memory."""
    found = cast("Any", texts.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return memoryview(found.buffers()[2])

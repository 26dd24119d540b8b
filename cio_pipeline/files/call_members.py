"""Payloads of many calls taken apart: each member as the JSON text that it was (C3, D3).

Nearly all are read by `msgspec`, whose members make up the whole payload again. What it refuses, or
what is written in another way (a key that stands twice, spaces, escaped keys), is left to
`model.json_text`, which says what is JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec
import polars as pl

from cio_pipeline.files.panics import UNREADABLE
from cio_pipeline.model.json_text import fields

SCHEMA = pl.Schema({"row": pl.UInt32, "name": pl.String, "raw": pl.String})
"""A row for each member, in their order: the number of its call, its name, its text in one line."""

_NEVER = "\x1e"
"""A character that stands in no JSON text."""

_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Members:
    """Members (SCHEMA) of payloads, and why some have none, by the number of their call."""

    table: pl.DataFrame
    failed: Mapping[int, BaseException]


def members_of(payloads: pl.Series) -> Members:
    """What payloads are made of; numbers begin at 0."""
    texts = payloads.to_list()
    table, whole = _quickly(payloads, texts)
    others = (~whole).arg_true().to_list()
    if others:
        found, failed = _one_by_one(texts, others)
        quick = table.filter(whole.gather(table["row"]))
        table = pl.concat([quick, found]).sort("row", maintain_order=True)
    else:
        failed: Mapping[int, BaseException] = {}
    return Members(_on_one_line(table), failed)


def _quickly(payloads: pl.Series, texts: Sequence[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Members, and of which payloads they are all."""
    parsed = [_parsed(text) for text in texts]
    counts = pl.Series([len(one) for one in parsed], dtype=pl.UInt32)
    values = _NEVER.encode().join(chain.from_iterable(one.values() for one in parsed))
    names = pl.Series(list(chain.from_iterable(parsed)), dtype=pl.String)
    numbers = pl.int_range(len(texts), dtype=pl.UInt32, eager=True)
    table = pl.DataFrame(
        {
            "row": pl.select(pl.lit(numbers).repeat_by(counts).explode().drop_nulls()).to_series(),
            "name": names,
            "raw": _split(values.decode()) if len(names) else [],
        },
        schema=SCHEMA,
    )
    return table, _are_whole(table, payloads)


def _parsed(text: str) -> dict[str, msgspec.Raw]:
    try:
        return _RAW_MEMBERS.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def _are_whole(table: pl.DataFrame, payloads: pl.Series) -> pl.Series:
    """Whether members make up their payload, as Python and JavaScript write JSON."""
    whole = payloads == "{}"
    if table.is_empty():
        return whole
    spaced = payloads.str.contains(r'^\{"[^"\\]*": ').gather(table["row"])
    first = pl.col("row").ne_missing(pl.col("row").shift())
    before = pl.when(first).then(pl.lit(f'{_NEVER}{{"')).when(spaced).then(pl.lit(', "'))
    pieces = pl.concat_str(
        before.otherwise(pl.lit(',"')),
        pl.col("name").str.replace_all(_NEVER, "?", literal=True),  # which is escaped in the text
        pl.when(spaced).then(pl.lit('": ')).otherwise(pl.lit('":')),
        "raw",
    )
    again = _split(table.select(pieces.str.join("")).item())[1:]
    rows = table["row"].filter(table.select(first).to_series())
    same = (again + "}") == payloads.gather(rows)
    return whole.scatter(rows, same)


def _split(text: str) -> pl.Series:
    return pl.Series([text]).str.split(_NEVER).explode()


def _one_by_one(
    texts: Sequence[str], rows: Sequence[int]
) -> tuple[pl.DataFrame, dict[int, BaseException]]:
    found: list[tuple[int, str, str]] = []
    failed: dict[int, BaseException] = {}
    for row in rows:
        try:
            found += [(row, name, raw) for name, raw in fields(texts[row]).items()]
        except UNREADABLE as error:
            failed[row] = error
    return pl.DataFrame(found, schema=SCHEMA, orient="row"), failed


def _on_one_line(table: pl.DataFrame) -> pl.DataFrame:
    """JSON has line breaks between its parts only."""
    broken = pl.col("raw").str.contains("[\r\n]")
    if not table.select(broken.any()).item():
        return table
    return table.with_columns(pl.col("raw").str.replace_all("[\r\n]", " "))

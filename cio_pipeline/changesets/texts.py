"""Texts of source columns as they are sent: JSON, and what is wrong with it (D3, D24); cut ones.

Polars' own parser is quick and takes nothing that is no JSON. What it does not take (deep nesting,
numbers beyond a double, `null`) is read by the reader of all feeds, value by value.
"""

from collections.abc import Callable
from typing import TypeAlias

import polars as pl

from cio_pipeline.model.json_text import NotJson, decoded

PROBLEM = "_problem"
"""The column in which a rule says why a JSON text is none; null if it is one."""

_SPACE = " \t\n\r"
_READ = pl.Struct({"value": pl.String(), "problem": pl.String()})
_Read: TypeAlias = Callable[[str], tuple[str | None, str | None]]


def json_to_text(name: str) -> tuple[pl.Expr, pl.Expr]:
    """A JSON text as an attribute's value, a string decoded and anything else as it was written.

    And what is wrong with it. Null gives nulls; JSON's own `null` is the text `null`.
    """
    source = pl.col(name)
    quick = source.str.json_path_match("$")  # null for what it does not take; rewrites numbers
    bare = source.str.strip_chars(_SPACE)
    is_null = bare == "null"  # common, and worth not being read one by one
    taken = pl.when(bare.str.starts_with('"')).then(quick)
    taken = taken.when(quick.is_not_null() | is_null).then(source)
    read = _one_by_one(source, quick.is_null() & ~is_null, _text)
    return pl.coalesce(taken, read.struct.field("value")), read.struct.field("problem")


def json_object(name: str) -> tuple[pl.Expr, pl.Expr]:
    """A JSON text as it was written if it is an object, and what is wrong with it otherwise."""
    source = pl.col(name)
    starts = source.str.strip_chars_start(_SPACE).str.starts_with("{")
    quick = starts & source.str.json_path_match("$").is_not_null()
    read = _one_by_one(source, ~quick, _object)
    taken = pl.when(quick).then(source)
    return pl.coalesce(taken, read.struct.field("value")), read.struct.field("problem")


def _one_by_one(source: pl.Expr, doubtful: pl.Expr, read: _Read) -> pl.Expr:
    """What `read` makes of the texts that are doubtful; null for all others."""

    def each(texts: pl.Series) -> pl.Series:
        if texts.null_count() == len(texts):
            return pl.Series(texts.name, [None], _READ).new_from_index(0, len(texts))
        found = [(None, None) if text is None else read(text) for text in texts]
        return pl.Series(texts.name, [{"value": v, "problem": p} for v, p in found], _READ)

    chosen = pl.when(doubtful).then(source)
    return chosen.map_batches(each, return_dtype=_READ, is_elementwise=True)


def _text(text: str) -> tuple[str | None, str | None]:
    try:
        value = decoded(text)
    except NotJson as error:
        return None, str(error)
    if not isinstance(value, str):
        return text, None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, "has half of a surrogate pair, which no text can hold"
    return value, None


def _object(text: str) -> tuple[str | None, str | None]:
    try:
        value = decoded(text)
    except NotJson as error:
        return None, str(error)
    return (text, None) if isinstance(value, dict) else (None, "is no JSON object")


_CONTINUATION = (b"\x80", b"\xbf")
"""First and last byte that can only continue a UTF-8 character."""


def first_bytes(name: str, limit: int) -> pl.Expr:
    """The longest prefix of a text that is valid UTF-8 of at most `limit` (> 3) bytes."""
    text = pl.col(name).cast(pl.Binary)

    def starts_character(at: int) -> pl.Expr:
        first, last = (pl.lit(byte) for byte in _CONTINUATION)
        return ~text.bin.slice(at, 1).is_between(first, last)

    length = (
        pl.when(starts_character(limit))
        .then(limit)
        .when(starts_character(limit - 1))
        .then(limit - 1)
        .when(starts_character(limit - 2))
        .then(limit - 2)
        .otherwise(limit - 3)
    )
    return text.bin.slice(0, length).cast(pl.String)

"""Expressions that several exports' rules share (D3). All run in the streaming engine."""

import polars as pl

LINK_URL_BYTES = 1000

_CONTINUATION = (b"\x80", b"\xbf")
"""First and last byte that can only continue a UTF-8 character."""


def flag(name: str) -> pl.Expr:
    """A Boolean column with null as false."""
    return pl.col(name).fill_null(value=False)


def blank(name: str) -> pl.Expr:
    """Whether a text is null or empty; never null."""
    return pl.col(name).fill_null("") == ""


def blank_to_null(name: str) -> pl.Expr:
    """A text, or null where it is empty."""
    return pl.when(pl.col(name) != "").then(pl.col(name))


def empty_to_null(name: str) -> pl.Expr:
    """A list, or null where it has no elements."""
    return pl.when(pl.col(name).list.len() > 0).then(pl.col(name))


def empty_list() -> pl.Expr:
    """The empty list of strings."""
    return pl.lit([], dtype=pl.List(pl.String))


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

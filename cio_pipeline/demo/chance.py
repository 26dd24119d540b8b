"""Chance without state: every draw is a pure function of a row's key and of what it is for.

Plain wrapping 64-bit arithmetic instead of a generator or `Expr.hash`: no order of calls to keep,
and the same numbers in every process and release of Polars.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import polars as pl

Draw: TypeAlias = Callable[[str], pl.Expr]
"""From a purpose to a uniform number in [0, 1)."""

_FIRST = 0x9E3779B97F4A7C15
_SECOND = 0xD6E8FEB86659FD93
_HALF = 2**32


def key_of(*parts: object) -> int:
    """A 64-bit key of some words and numbers."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _mixed(series: pl.Series, salt: int) -> pl.Series:
    mixed = (series.cast(pl.UInt64) ^ salt) * _FIRST
    mixed = (mixed ^ (mixed // _HALF)) * _SECOND
    return mixed ^ (mixed // _HALF)


def keyed(number: pl.Expr, salt: int) -> pl.Expr:
    """Keys (UInt64) of numbered things, given the key of what they belong to."""

    def mix(series: pl.Series) -> pl.Series:
        return _mixed(series, salt)

    return number.map_batches(mix, return_dtype=pl.UInt64)


def drawing(key: str | pl.Expr) -> Draw:
    """Draws from a key column."""
    column = pl.col(key) if isinstance(key, str) else key

    def draw(purpose: str) -> pl.Expr:
        salt = key_of(purpose)

        def uniform(series: pl.Series) -> pl.Series:
            return (_mixed(series, salt) // 2**11).cast(pl.Float64) / 2.0**53

        return column.map_batches(uniform, return_dtype=pl.Float64)

    return draw


def below(draw: pl.Expr, limit: int | pl.Expr) -> pl.Expr:
    """A whole number in [0, limit)."""
    return (draw * limit).cast(pl.Int64)


def odds(draw: pl.Expr, share: float) -> pl.Expr:
    """True in a share of the cases."""
    return draw < share


@lru_cache
def _choices(items: tuple[str | None, ...]) -> pl.Series:
    return pl.Series(items, dtype=pl.String)


def choice(draw: pl.Expr, items: Sequence[str | None]) -> pl.Expr:
    """One of the texts, each as likely; repeat one to make it likelier."""
    return nth(below(draw, len(items)), items)


def nth(index: pl.Expr, items: Sequence[str | None]) -> pl.Expr:
    """The text at a 0-based index, taken modulo their number."""
    at = (index % len(items)).cast(pl.UInt32)
    return pl.lit(_choices(tuple(items))).gather(at)

"""Columns that must hold something, and columns that are sent empty, hashed or masked."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from cio_pipeline.conforming.hidden_properties import hidden_properties
from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.model.data_contract import ExportTerms
from cio_pipeline.model.times import EPOCH

ATTRIBUTE, VALUE = "attribute_name", "attribute_value"
"""Columns of exports that have an attribute a row."""

JSON_OBJECTS = frozenset({"data", "properties", "traits"})
"""Columns of JSON objects, whose members can be hidden; the empty one stands for nothing."""

COPIES = {"customer_id": "email_addr"}
"""Columns that have the value of another one where they have none of their own."""

_DOMAIN = r"@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+"
_SHOWN = rf"^(?:[\s\S]{{1,2}}?|(?i:true|false)|([\s\S])[\s\S]{{2,}}?)({_DOMAIN})?$"
"""A text's first character, unless it is short or a boolean, and the domain that it ends with."""

Check: TypeAlias = tuple[pl.Expr, pl.Expr]
"""Whether something is wrong with a row, and how that is told."""


@dataclass(frozen=True)
class InForce:
    """Terms that a plan was made under, with the salt that they refer to."""

    of: ExportTerms
    salt: bytes = b""

    def __repr__(self) -> str:
        """Without the salt."""
        return f"InForce({self.of!r})"


def checks_of_columns(
    terms: ExportTerms, columns: Iterable[Column], exempt: pl.Expr | None = None
) -> Iterator[Check]:
    """That required columns hold something, in their order; not in rows that are exempt."""
    for column in columns:
        if column.name in terms.required:
            lacks = is_empty(column)
            wrong = lacks if exempt is None else lacks & ~exempt
            yield wrong, pl.lit(f"{column.name} is required by the data contract and empty")


def is_empty(column: Column) -> pl.Expr:
    """Whether a column holds nothing: null, empty text, an empty list; never null."""
    value = pl.col(column.name)
    if column.type is ColumnType.STRING:
        return value.fill_null("") == ""
    if column.type is ColumnType.STRINGS:
        return value.list.len().fill_null(0) == 0
    return value.is_null()


def hidden(in_force: InForce, columns: Collection[Column], dtypes: pl.Schema) -> Iterator[pl.Expr]:
    """The columns that are not sent as they are, under their names, types and nullability.

    Where another column holds the same value as its copy, it is not sent there either.
    """
    for column in columns:
        name = column.name
        own = _hidden(in_force, name, pl.col(name), empty(column, dtypes[name]))
        if own is not None:
            yield own.alias(name)
        elif name in COPIES:
            same = pl.col(name) == pl.col(COPIES[name])
            its, nothing = pl.when(same).then(name), empty(column, dtypes[name])
            copied = _hidden(in_force, COPIES[name], its, nothing)
            if copied is not None:
                yield pl.when(same).then(copied).otherwise(name).alias(name)
        elif name == VALUE and in_force.of.values:
            yield _values(in_force)
        elif name in JSON_OBJECTS and in_force.of.values:
            yield members_hidden(in_force, pl.col(name)).alias(name)


def members_hidden(in_force: InForce, texts: pl.Expr) -> pl.Expr:
    """JSON objects without the members that the terms hide."""
    said = pl.col("said")
    ways = {"hash": hashed(said, in_force.salt), "mask": masked(said)}
    return hidden_properties(texts, in_force.of.values, ways)


def _hidden(in_force: InForce, name: str, value: pl.Expr, nothing: pl.Expr) -> pl.Expr | None:
    """A value in the way that the terms have for a column; None if it is sent as it is."""
    terms = in_force.of
    if name in terms.leave_out:
        return nothing
    if name in terms.hash:
        return hashed(value, in_force.salt)
    return masked(value) if name in terms.mask else None


def _values(in_force: InForce) -> pl.Expr:
    """The attributes' values, some of them hidden."""
    how: dict[str, list[str]] = {}
    for name, chosen in in_force.of.values.items():
        how.setdefault(chosen, []).append(name)
    value, found = pl.col(VALUE), pl.col(VALUE)
    ways = {"leave_out": pl.lit(""), "hash": hashed(value, in_force.salt), "mask": masked(value)}
    for chosen, names in how.items():
        found = pl.when(pl.col(ATTRIBUTE).is_in(names)).then(ways[chosen]).otherwise(found)
    return found.alias(VALUE)


def empty(column: Column, dtype: pl.DataType) -> pl.Expr:
    """Null, or what stands for nothing in a required column of its type."""
    if not column.required:
        return pl.lit(None, dtype=dtype)
    nothing: dict[ColumnType, Any] = {
        ColumnType.STRING: "{}" if column.name in JSON_OBJECTS else "",
        ColumnType.STRINGS: [],
        ColumnType.INTEGER: 0,
        ColumnType.BOOLEAN: False,
        ColumnType.TIMESTAMP: EPOCH,
    }
    return pl.lit(nothing[column.type], dtype=dtype)


def hashed(texts: pl.Expr, salt: bytes) -> pl.Expr:
    """SHA-256 of salt and text, as 64 hexadecimal digits; null and empty text stay."""
    begun = hashlib.sha256(salt)

    def digest(text: str | None) -> str | None:
        if not text:
            return text
        made = begun.copy()
        made.update(text.encode())
        return made.hexdigest()

    def each(some: pl.Series) -> pl.Series:
        return pl.Series(some.name, [digest(text) for text in some], dtype=pl.String)

    return texts.map_batches(each, return_dtype=pl.String(), is_elementwise=True)


def masked(texts: pl.Expr) -> pl.Expr:
    """`j***@acme.example`, `+***`: the first character, the domain; null and empty text stay."""
    return texts.str.replace(_SHOWN, "${1}***${2}")

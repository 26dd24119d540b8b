"""Properties of events: whether they are there, and of the types that a data contract says.

They are read from JSON texts many at a time; rows never exist in Python but where an object is odd.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, get_args

import msgspec
import polars as pl

from cio_pipeline.conforming.raw_columns import column_of
from cio_pipeline.model.data_contract import EventTerms, PropertyType
from cio_pipeline.model.json_text import decoded, exact_text

_ABSENT = msgspec.Raw(b"")
_ANY = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_REFUSED = (msgspec.MsgspecError, UnicodeError, RecursionError)

_FIT = re.compile(r'[^"\\\x00-\x1f]*').fullmatch
"""Whether a field of `msgspec` can have a name."""

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_SECOND = rf"{_SIXTY}(?:\.[0-9]+)?"
_OFFSET = f"(?:[Zz]|[+-]{_HOUR}:{_SIXTY})"

_TIMES: Mapping[str, str] = {
    "date": f"^{_DAY}$",
    "iso8601": f"^{_DAY}(?:[Tt ]{_HOUR}:{_SIXTY}(?::{_SECOND})?{_OFFSET}?)?$",
    "rfc3339": f"^{_DAY}[Tt ]{_HOUR}:{_SIXTY}:{_SECOND}{_OFFSET}$",
}
"""How text looks that is such a time."""

_UNIX: Mapping[str, tuple[float, float]] = {"unix": (1e8, 1e11), "unix_ms": (1e11, 1e14)}
"""From, and before: the years 1973 to 5138. So one is not taken for the other."""

_OF_JSON: Mapping[str, str] = {
    "string": '^"',
    "integer": "^-?[0-9]+$",
    "number": "^-?[0-9]",
    "boolean": "^(?:true|false)$",
    "object": r"^\{",
    "array": r"^\[",
}
"""How the JSON text of a value begins, or is."""

_TOLD: Mapping[str, str] = {
    "integer": "an integer",
    "object": "an object",
    "array": "an array",
    "iso8601": "an ISO 8601 time",
    "rfc3339": "an RFC 3339 time",
    "unix": "a Unix time in seconds",
    "unix_ms": "a Unix time in milliseconds",
}
"""In words, where that is not `a` and the name."""


def problems(terms: EventTerms, event: str, column: str, texts: pl.Series) -> pl.Series:
    """What is first wrong with each JSON object, null where nothing is; the terms ask for some."""
    raws = _members(texts, _names(terms), closed=terms.other_properties == "quarantine")
    asked = [pl.when(wrong).then(pl.lit(told)) for wrong, told in _found(terms, event, column)]
    # There may be few rows each time: to look for a better way to ask them takes longer.
    quickly = pl.QueryOptFlags.none()
    return raws.select(pl.coalesce(asked)).collect(optimizations=quickly).to_series()


def _names(terms: EventTerms) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*terms.required, *terms.properties)))


def _found(terms: EventTerms, event: str, column: str) -> Iterator[tuple[pl.Expr, str]]:
    for number, name in enumerate(_names(terms)):
        raw = pl.col(_numbered(number))
        told = f"{column}.{name} of '{event}'"
        if name in terms.required:
            yield raw.is_null() | (raw == '""'), f"{told} is required by the data contract"
        if name in terms.properties:
            kind = terms.properties[name]
            wrong = ~is_of_type(raw, kind)
            yield wrong, f"{told} is not {_TOLD.get(kind, f'a {kind}')}"
    if terms.other_properties == "quarantine":
        text = f"{column} of '{event}' has a property that the data contract does not name"
        yield pl.col(_OTHERS), text


def is_of_type(raw: pl.Expr, kind: PropertyType) -> pl.Expr:
    """Whether JSON texts are of a type; null where there is none."""
    if kind in _OF_JSON:
        return raw.str.contains(_OF_JSON[kind])
    if kind in _UNIX:
        first, end = _UNIX[kind]
        number = pl.when(raw.str.contains(_OF_JSON["number"])).then(raw).otherwise(pl.lit("0"))
        seconds = number.cast(pl.Float64, strict=False).fill_null(0)
        return pl.when(raw.is_not_null()).then(seconds.is_between(first, end, closed="left"))
    text = pl.when(raw.str.starts_with('"')).then(raw.str.strip_chars('"')).otherwise(pl.lit(""))
    day = text.str.head(10)
    real = day.str.to_date("%Y-%m-%d", strict=False).is_not_null() & ~day.str.starts_with("0000")
    return pl.when(raw.is_not_null()).then(text.str.contains(_TIMES[kind]) & real)


KINDS: tuple[PropertyType, ...] = get_args(PropertyType)
FILLED, EMPTY = "filled", "empty"


def seen_in(texts: pl.Series) -> dict[str, Counter[str]]:
    """What JSON objects hold, by property: how many are FILLED, EMPTY text, and of which KINDS."""
    names = tuple(filter(None, _keys_of(texts.to_list())))
    if not names:
        return {}
    raws = _members(texts, names, closed=False)
    asked: list[pl.Expr] = []
    for number in range(len(names)):
        raw = pl.col(_numbered(number))
        counts = {FILLED: raw.is_not_null(), EMPTY: raw == '""'}
        counts |= {kind: is_of_type(raw, kind) for kind in KINDS}
        asked += [holds.sum().alias(f"{number} {what}") for what, holds in counts.items()]
    found = raws.select(asked).collect().row(0)
    step = len(found) // len(names)
    of = (FILLED, EMPTY, *KINDS)
    return {
        name: Counter(dict(zip(of, found[at * step : (at + 1) * step], strict=True)))
        for at, name in enumerate(names)
    }


def _keys_of(texts: Sequence[str]) -> dict[str, None]:
    """The names of members, in the order in which they come up."""
    keys: dict[str, None] = {}
    try:
        for one in _ANY.decode("[" + ",".join(texts) + "]"):
            keys |= dict.fromkeys(one)
    except _REFUSED:
        if len(texts) > 1:
            half = len(texts) // 2
            return _keys_of(texts[:half]) | _keys_of(texts[half:])
        value = decoded(texts[0])
        keys = dict.fromkeys(value if isinstance(value, dict) else ())
    return keys


_OTHERS = "others"
"""Whether an object has other members."""


def _numbered(number: int) -> str:
    # Names of properties may be anything, also what Polars takes for a pattern.
    return f"p{number}"


def _members(texts: pl.Series, names: tuple[str, ...], *, closed: bool) -> pl.LazyFrame:
    """The JSON texts of members, a column each, null where absent or null; and `_OTHERS`.

    Others are told only if the objects are to be `closed`.
    """
    objects = [text or "{}" for text in texts]
    columns = [_numbered(number) for number in range(len(names))]
    given = [pl.when(pl.col(one) != "null").then(pl.col(one)).alias(one) for one in columns]
    return _read(objects, names, closed=closed).lazy().with_columns(given)


def _read(objects: Sequence[str], names: tuple[str, ...], *, closed: bool) -> pl.DataFrame:
    try:
        return _together(objects, names, closed=closed)
    except _REFUSED:
        if len(objects) == 1:
            return _in_columns([_one(objects[0], names)], len(names))
    half = len(objects) // 2
    parts = (objects[:half], objects[half:])
    return pl.concat([_read(part, names, closed=closed) for part in parts])


def _together(objects: Sequence[str], names: tuple[str, ...], *, closed: bool) -> pl.DataFrame:
    """Objects that `msgspec` takes; raises what it does for others."""
    whole = f"[{','.join(objects)}]"
    if not all(map(_FIT, names)):
        return _in_columns([_picked(one, names) for one in _ANY.decode(whole)], len(names))
    parsed = _decoder(names, closed).decode(whole)
    members = [_numbered(number) for number in range(len(names))]
    columns = {name: _column([*map(attrgetter(name), parsed)]) for name in members}
    others = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(objects))
    return pl.DataFrame({**columns, _OTHERS: others})


def _column(raws: list[msgspec.Raw]) -> pl.Series:
    """JSON texts as a column; those with escapes as what they say, since they may be times."""
    texts = b"".join(raws)
    found = column_of(raws, texts)
    if b"\\" not in texts:
        return found
    said = [text if text is None else _plain(text) for text in found]
    return pl.Series(said, dtype=pl.String)


def _in_columns(rows: Sequence[tuple[Any, ...]], members: int) -> pl.DataFrame:
    columns = {
        _numbered(number): pl.Series([row[number] for row in rows], dtype=pl.String)
        for number in range(members)
    }
    return pl.DataFrame(
        {**columns, _OTHERS: pl.Series([row[-1] for row in rows], dtype=pl.Boolean)}
    )


def _picked(members: Mapping[str, msgspec.Raw], names: tuple[str, ...]) -> tuple[Any, ...]:
    found = [_text(members.get(name, _ABSENT)) for name in names]
    return (*found, not members.keys() <= set(names))


def _text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw).decode()
    return _plain(text) if text else None


def _plain(text: str) -> str:
    return json.dumps(json.loads(text)) if text[0] == '"' and "\\" in text else text


def _one(text: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The same by the reader of all feeds, for what `msgspec` does not take."""
    value = decoded(text)
    members = value if isinstance(value, dict) else {}
    found = [_short(members[name]) if name in members else None for name in names]
    return (*found, not members.keys() <= set(names))


def _short(value: Any) -> str:
    """A value's JSON text, as far as it tells its type."""
    match value:
        case dict():
            return "{}"
        case list():
            return "[]"
        case str():
            return json.dumps(value)
        case _:
            return exact_text(value)


@lru_cache(256)
def _decoder(names: tuple[str, ...], closed: bool) -> Any:  # noqa: FBT001 - a key of the cache
    given = [(_numbered(number), msgspec.Raw, _ABSENT) for number in range(len(names))]
    rename = {_numbered(number): name for number, name in enumerate(names)}
    struct = msgspec.defstruct(
        "Properties", given, rename=rename, gc=False, forbid_unknown_fields=closed
    )
    return msgspec.json.Decoder(list[struct])

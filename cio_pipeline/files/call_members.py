"""Payloads of many calls taken apart: each member as the JSON text that it was (C3, D3).

Nearly all payloads of a type have their members in one order, some of them left out. `msgspec`
reads these, a column for each member, and what it finds must make up the whole payload again. All
others are left to `model.json_text`, which says what is JSON.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import attrgetter
from typing import Any, Protocol

import msgspec
import polars as pl

from cio_pipeline.conforming.raw_columns import column_of, nothing
from cio_pipeline.files.json_objects import bytes_of, objects_of
from cio_pipeline.files.panics import UNREADABLE
from cio_pipeline.model.json_text import NotJson, fields

FEW = 100
"""Payloads that are taken apart one by one: what is done for all at once takes a millisecond."""

_SAMPLE = 32
"""Payloads of which an order of members is learned."""

_MOST_NAMES = 64
"""Members of an order: each is looked for in all payloads."""

_WORTH = 8
"""An order is worth another look at the rest if every so many of them have it."""

_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ABSENT = msgspec.Raw(b"")
_REFUSED = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Members(Protocol):
    """The members of some calls, whose numbers are `rows`."""

    @property
    def rows(self) -> pl.Series:
        """Which calls these are, ascending."""
        ...

    def raw(self, name: str) -> pl.Series:
        """The JSON text of each call's member of that name in one line, null where it has none."""
        ...

    def others(self, held: Mapping[str, pl.Series]) -> pl.Series:
        """All other members as a JSON object, null where there are none.

        `held` tells by name which calls' members need not be there.
        """
        ...

    def part(self, start: int, end: int) -> "Members":
        """Those of some of the calls."""
        ...


@dataclass(frozen=True)
class InOrder:
    """Members of payloads that have them in one order, as columns."""

    rows: pl.Series
    raws: Mapping[str, pl.Series]

    def raw(self, name: str) -> pl.Series:
        """See Members."""
        return self.raws[name] if name in self.raws else nothing(len(self.rows))

    def others(self, held: Mapping[str, pl.Series]) -> pl.Series:
        """See Members."""
        none = nothing(len(self.rows))
        loose = {
            json.dumps(name): none.zip_with(held[name], raw) if name in held else raw
            for name, raw in self.raws.items()
        }
        there = {key: raw for key, raw in loose.items() if raw.null_count() < len(raw)}
        if not there:
            return none
        found = objects_of(there)
        return none.zip_with(found == "{}", found)

    def part(self, start: int, end: int) -> "InOrder":
        """See Members."""
        raws = {name: raw[start:end] for name, raw in self.raws.items()}
        return InOrder(self.rows[start:end], raws)


@dataclass(frozen=True)
class OneByOne:
    """Members of payloads that have little in common."""

    rows: pl.Series
    found: Sequence[Mapping[str, str]]

    def raw(self, name: str) -> pl.Series:
        """See Members."""
        return pl.Series([one.get(name) for one in self.found], dtype=pl.String)

    def others(self, held: Mapping[str, pl.Series]) -> pl.Series:
        """See Members."""
        flags = {name: its.to_list() for name, its in held.items()}
        extras = [
            ",".join(
                f"{json.dumps(name)}:{raw}"
                for name, raw in one.items()
                if name not in flags or not flags[name][number]
            )
            for number, one in enumerate(self.found)
        ]
        return pl.Series([f"{{{pairs}}}" if pairs else None for pairs in extras], dtype=pl.String)

    def part(self, start: int, end: int) -> "OneByOne":
        """See Members."""
        return OneByOne(self.rows[start:end], self.found[start:end])


def taken_apart(
    payloads: pl.Series, few: int = FEW
) -> tuple[list[Members], dict[int, BaseException]]:
    """What payloads are made of, and why some cannot be taken apart, by their numbers from 0."""
    parts: list[Members] = []
    rest = pl.int_range(len(payloads), dtype=pl.UInt32, eager=True)
    worth = True
    while worth and len(rest) >= few:
        fitting = _in_one_order(payloads.gather(rest))
        if fitting is None:
            break
        raws, fits = fitting
        worth = fits.sum() * _WORTH >= len(rest)
        if fits.any():
            parts.append(InOrder(rest.filter(fits), raws))
        rest = rest.filter(~fits)
    found: dict[int, Mapping[str, str]] = {}
    failed: dict[int, BaseException] = {}
    for number, text in zip(rest, payloads.gather(rest), strict=True):
        try:
            found[number] = {name: _on_one_line(raw) for name, raw in fields(text).items()}
        except UNREADABLE as error:
            failed[number] = error
    if found:
        parts.append(OneByOne(pl.Series([*found], dtype=pl.UInt32), [*found.values()]))
    return parts, failed


def _in_one_order(payloads: pl.Series) -> tuple[dict[str, pl.Series], pl.Series] | None:
    """Members of those payloads that share an order, and which these are."""
    names, spaced = _learned(payloads.gather_every(len(payloads) // _SAMPLE + 1).to_list())
    if not names:
        return None
    parsed = _parsed(payloads, names)
    columns = [list(map(attrgetter(f"m{number}"), parsed)) for number in range(len(names))]
    texts = list(map(b"".join, columns))
    raws = dict(zip(names, map(column_of, columns, texts), strict=True))
    comma, colon = (", ", ": ") if spaced else (",", ":")
    fits = objects_of({f'"{name}"': raw for name, raw in raws.items()}, comma, colon) == payloads
    if not fits.all():
        raws = {name: raw.filter(fits) for name, raw in raws.items()}
    if any(b"\n" in text or b"\r" in text for text in texts):
        raws = {name: raw.str.replace_all("[\r\n]", " ") for name, raw in raws.items()}
    return raws, fits


def _learned(texts: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """An order of members that most of some payloads have, and whether spaces are between them."""
    found: list[tuple[list[str], bool]] = []
    for text in texts:
        try:
            names = list(fields(text))
        except NotJson:
            continue
        if names and all(map(_PLAIN.fullmatch, names)):
            found.append((names, text.startswith(f'{{"{names[0]}": ')))
    order = reduce(_merged, (names for names, _ in found), [])
    return tuple(order), bool(found) and found[0][1]


def _merged(known: list[str], names: list[str]) -> list[str]:
    """An order that holds both; the known one if they contradict each other, or are too many."""
    merged: list[str] = []
    rest = known
    for name in names:
        if name in rest:
            at = rest.index(name) + 1
            merged, rest = merged + rest[:at], rest[at:]
        elif name in merged:
            return known
        else:
            merged.append(name)
    merged += rest
    return merged if len(merged) <= _MOST_NAMES else known


def _parsed(payloads: pl.Series, names: tuple[str, ...]) -> list[Any]:
    """What `msgspec` finds, for each payload; whether it is right is seen by the texts."""
    decoder = _decoder(names)
    with suppress(*_REFUSED):
        # They lie one after another in memory. Where one ends is seen by the texts, too.
        found = decoder.decode_lines(bytes_of(payloads))
        if len(found) == len(payloads):
            return found
    return [_parsed_ornothing(decoder, text) for text in payloads]


def _parsed_ornothing(decoder: Any, text: str) -> Any:
    try:
        return decoder.decode(text)
    except _REFUSED:
        return decoder.decode("{}")


@lru_cache(64)
def _decoder(names: tuple[str, ...]) -> Any:
    """It keeps the last of members with the same name, and leaves out those with others."""
    given = [(f"m{number}", msgspec.Raw, _ABSENT) for number in range(len(names))]
    rename = {f"m{number}": name for number, name in enumerate(names)}
    return msgspec.json.Decoder(msgspec.defstruct("Payload", given, rename=rename, gc=False))


def _on_one_line(raw: str) -> str:
    """JSON has line breaks between its parts only."""
    return raw.replace("\n", " ").replace("\r", " ")

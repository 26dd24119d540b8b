"""JSON as text: what a payload is made of, without a digit or a character changed (C3, D3, M1).

The one reader of JSON of all feeds, so that a text is JSON for each of them or for none (D24).

`json` reads; this module only keeps what it would throw away: where a field's text begins and
ends, and the digits of a number. `msgspec` takes apart what it surely reads alike.
"""

import gc
import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, Self, TypeAlias

import msgspec

DEEPEST = 10_000
"""Levels of nesting that are read, in every feed. Each takes some 200 bytes of a thread's stack."""

_DEEP_STACK = 16 * 2**20
"""Bytes. Threads of Polars have 2 MiB, those of macOS 512 KiB, and running out ends the process."""

_SHALLOW = 200
"""Brackets that open: a text of fewer comes nowhere near Python's limit of recursion."""

_MOST_DIGITS = 4300
"""Python refuses to make an integer of more digits."""

_SPACE = re.compile(r"[ \t\n\r]*")
_raised = threading.Lock()


class NotJson(ValueError):
    """Some text is no JSON; the message says why and holds nothing of the text."""


class Exact(float):
    """A number that also keeps its text: `1.10` and `1E400` are not what a float makes of them."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Parsed as a float; too large a number is infinite, but for its text."""
        made = super().__new__(cls, text)
        made.text = text
        return made


# jmespath tells types by the names of their classes.
Exact.__name__ = "float"

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None


def decoded(text: str) -> Json:
    """The value of a JSON text, its numbers exact; of a key that stands twice, the last counts.

    Raises NotJson: for text that is no JSON, NaN and Infinity, more than DEEPEST levels.
    """
    with _kept_together(text):
        value, end = _value_at(text, _skip(text, 0))
    if _skip(text, end) != len(text):
        raise NotJson("is no valid JSON")
    return value


def fields(text: str, *, twice: bool = False) -> dict[str, str]:
    """The fields of a JSON object, each as the text that it has there, in their order.

    Where a key may stand `twice`, the last counts. Raises NotJson: as `decoded`, and if it is no
    object or a key stands twice that may not.
    """
    found = _quickly(text)
    if found is not None:
        return found
    with _kept_together(text):
        return _one_by_one(text, twice=twice)


def _quickly(text: str) -> dict[str, str] | None:
    """The fields of most texts, in a tenth of the time; None where it cannot vouch for them."""
    try:
        found = {key: str(raw, "utf-8") for key, raw in _RAW_FIELDS.decode(text).items()}
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    # They make up the whole text, unless a key stands twice or is written in another way, or the
    # spaces are others than Python's `json` and JavaScript leave.
    if text.startswith(": ", len(next(iter(found), "")) + 3):
        again = ", ".join([f'"{key}": {raw}' for key, raw in found.items()])
    else:
        again = ",".join([f'"{key}":{raw}' for key, raw in found.items()])
    return found if text == f"{{{again}}}" else None


def _one_by_one(text: str, *, twice: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        decoded(text)
        raise NotJson("is no JSON object")
    at = _skip(text, at + 1)
    more = text[at : at + 1] != "}"
    while more:
        key, start, end = _field_at(text, at)
        if key in found and not twice:
            raise NotJson("has a key that stands twice")
        found[key] = text[start:end]
        at = _skip(text, end)
        more = text[at : at + 1] == ","
        at = _skip(text, at + 1) if more else at
    if text[at : at + 1] != "}" or _skip(text, at + 1) != len(text):
        raise NotJson("is no valid JSON")
    return found


def exact_text(value: Json) -> str:
    """A decoded value as compact JSON, with the digits that its numbers had."""
    if isinstance(value, Exact):
        return value.text
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)}:{exact_text(inner)}" for key, inner in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(exact_text, value)) + "]"
    return _quoted(value)


def _quoted(value: str | float | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _field_at(text: str, at: int) -> tuple[str, int, int]:
    """Key, start and end of the value of the field that begins at `at`."""
    key, after = _value_at(text, at)
    colon = _skip(text, after)
    if not isinstance(key, str) or text[colon : colon + 1] != ":":
        raise NotJson("is no valid JSON")
    start = _skip(text, colon + 1)
    return key, start, _value_at(text, start)[1]


class _WithoutCollecting:
    """No garbage is collected meanwhile, by any thread; many may be within at a time.

    Python collects while something is made, and calls what cleans up: at the last levels of a
    text it would have no room, so that a file or a connection of somebody else was not closed.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._within = 0
        self._collects = False

    def __enter__(self) -> None:
        with self._counting:
            self._within += 1
            if self._within == 1:
                self._collects = gc.isenabled()
                gc.disable()

    def __exit__(self, *_: object) -> None:
        with self._counting:
            self._within -= 1
            if self._within == 0 and self._collects:
                gc.enable()


def _kept_together(text: str) -> AbstractContextManager[None]:
    """What to read a text within: nothing is to happen at its deepest levels but that."""
    shallow = text.count("[") + text.count("{") < _SHALLOW
    return _AT_EASE if shallow else _WITHOUT_COLLECTING


def _value_at(text: str, at: int) -> tuple[Json, int]:
    try:
        try:
            return _DECODER.raw_decode(text, at)
        except RecursionError:
            return _deep_value_at(text, at)
    except RecursionError:
        raise NotJson(f"is nested deeper than {DEEPEST:,} levels") from None
    except json.JSONDecodeError:
        raise NotJson("is no valid JSON") from None


def _deep_value_at(text: str, at: int) -> tuple[Json, int]:
    """With a higher limit of recursion and on a stack of its own.

    Limit and size of stacks are the interpreter's: one thread at a time.
    """
    with _raised:
        limit, stack = sys.getrecursionlimit(), threading.stack_size(_DEEP_STACK)
        sys.setrecursionlimit(max(limit, DEEPEST))
        try:
            with ThreadPoolExecutor(1) as deep:
                return deep.submit(_DECODER.raw_decode, text, at).result()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(stack)


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] > " ":
        return at  # nearly always: no pattern is needed to see that
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _integer(text: str) -> int | Exact:
    return Exact(text) if len(text) > _MOST_DIGITS or text == "-0" else int(text)


def _no_number(_: str) -> NoReturn:
    raise NotJson("holds NaN or Infinity, which is no JSON")


_AT_EASE = nullcontext()
_WITHOUT_COLLECTING = _WithoutCollecting()
_RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DECODER = json.JSONDecoder(parse_float=Exact, parse_int=_integer, parse_constant=_no_number)

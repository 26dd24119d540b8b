"""What a data contract does to one row, in plain Python: written from docs/contracts.md alone."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cio_pipeline.model.data_contract import EventTerms, ExportTerms


class Number(str):
    """A number's text in JSON."""

    __slots__ = ()


def same_words(name: str) -> str:
    return "_".join(re.findall(r"[^\W_]+", name)).lower() or name


def declared(terms: ExportTerms, name: str) -> str:
    for of, event in (terms.events or {}).items():
        for spelling in (of, *event.spellings):
            if spelling == name:
                return of
    for of, event in (terms.events or {}).items():
        for spelling in (of, *event.spellings):
            if terms.normalise and same_words(spelling) == same_words(name):
                return of
    return name


def is_a_day(text: str) -> bool:
    try:
        date(*map(int, text.split("-")))
    except ValueError:
        return False
    return True


def is_a_time(text: str, kind: str) -> bool:
    found = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
        r"([Tt ]([0-9]{2}):([0-9]{2})(:([0-9]{2})([.][0-9]+)?)?(Z|z|[+-]([0-9]{2}):([0-9]{2}))?)?",
        text,
    )
    if found is None or not is_a_day(found[1]):
        return False
    _, clock, hour, minute, seconds, second, _, offset, of_hours, of_minutes = found.groups()
    if kind == "date":
        return clock is None
    fits = int(hour or 0) < 24 and int(of_hours or 0) < 24
    fits &= all(int(part or 0) < 60 for part in (minute, second, of_minutes))
    return fits and (kind == "iso8601" or bool(seconds and offset))


def is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def is_number(value: Any, first: float = -math.inf, end: float = math.inf) -> bool:
    return isinstance(value, Number) and (first <= float(value) < end or math.isinf(end))


IS_OF: Mapping[str, Callable[[Any], bool]] = {
    "string": is_text,
    "integer": lambda value: is_number(value) and re.fullmatch("-?[0-9]+", value) is not None,
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "unix": lambda value: is_number(value, 1e8, 1e11),
    "unix_ms": lambda value: is_number(value, 1e11, 1e14),
    "date": lambda value: is_text(value) and is_a_time(value, "date"),
    "iso8601": lambda value: is_text(value) and is_a_time(value, "iso8601"),
    "rfc3339": lambda value: is_text(value) and is_a_time(value, "rfc3339"),
}


def breaks_event(terms: EventTerms, text: str) -> bool:
    members = json.loads(text, parse_int=Number, parse_float=Number)
    for name in terms.required:
        value = members.get(name)
        if value is None or (value == "" and is_text(value)):
            return True
    for name, kind in terms.properties.items():
        if members.get(name) is not None and not IS_OF[kind](members[name]):
            return True
    known = {*terms.required, *terms.properties}
    return terms.other_properties == "quarantine" and not members.keys() <= known


def breaks(terms: ExportTerms, row: Mapping[str, Any]) -> bool:
    """Whether a row, with its event's declared name, is held back."""
    ends = row.get("deleted") or row.get("suppressed") or row.get("attribute_value") == ""
    if not ends and any(row[name] in (None, "", []) for name in terms.required):
        return True
    if terms.events is None or row["type"] != "event":
        return False
    event = terms.events.get(row["name"])
    if event is None:
        return terms.other_events == "quarantine"
    return breaks_event(event, row["data"])


def masked(text: str) -> str:
    whole, at, domain = text.rpartition("@")
    named = re.fullmatch(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+", domain)
    local, rest = (whole, at + domain) if whole and named else (text, "")
    tells = len(local) > 2 and local.lower() not in {"true", "false"}
    return f"{local[0] if tells else ''}***{rest}"


def shown(
    terms: ExportTerms, salt: bytes, row: Mapping[str, Any], empty: Mapping[str, Any]
) -> dict[str, Any]:
    """The row as it is sent; `empty` is what stands for nothing in each column."""
    ways = dict.fromkeys(terms.leave_out, "leave_out") | dict.fromkeys(terms.hash, "hash")
    ways |= dict.fromkeys(terms.mask, "mask")
    if "attribute_value" not in ways and row.get("attribute_name") in terms.values:
        ways["attribute_value"] = terms.values[row["attribute_name"]]
    if row.get("customer_id") == row.get("email_addr") and "email_addr" in ways:
        ways = {"customer_id": ways["email_addr"]} | ways
    found = dict(row)
    for name, way in ways.items():
        value = row[name]
        if way == "leave_out":
            found[name] = empty[name]
        elif value and way == "hash":
            found[name] = hashlib.sha256(salt + value.encode()).hexdigest()
        elif value:
            found[name] = masked(value)
    return found

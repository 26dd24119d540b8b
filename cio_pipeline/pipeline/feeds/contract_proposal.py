"""A data contract as commented YAML, out of what was seen of a sync's rows (O1, O2)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import yaml

from cio_pipeline.conforming.agreeing import keys_of
from cio_pipeline.conforming.properties import EMPTY, FILLED
from cio_pipeline.pipeline.feeds.contract_inference import EventSeen, ExportSeen

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_ -]*[A-Za-z0-9_]")
_NO_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

_ORDER = (
    "boolean",
    "unix",
    "unix_ms",
    "integer",
    "number",
    "date",
    "rfc3339",
    "iso8601",
    "string",
    "object",
    "array",
)
"""The narrowest first."""

_OF_TIMES = re.compile(r"(^|_)(at|on|ts)$|([Tt]ime|[Tt]imestamp|[Dd]ate|At|On)$")
"""Names of numbers that may be times: others may be ids of that size."""


def proposal(seen: Sequence[ExportSeen], intro: Iterable[str], version: int) -> str:
    """The contract that all that was seen keeps, with what speaks for each part of it."""
    lines = [*(f"# {line}" for line in intro), "exports:"]
    for one in seen:
        lines += [f"  {line}" for line in _export(one, version)]
    return "\n".join(lines) + "\n"


def _export(seen: ExportSeen, version: int) -> Iterator[str]:
    name = seen.export.name
    if not seen.rows:
        yield f"# {name}: no rows in this time"
        return
    said = [*_said(seen, version)]
    only_comments = all(line.startswith("#") for line in said)
    yield f"{name}:{' {}' if only_comments else ''}  # {seen.rows:,} rows"
    yield from (f"  {line}" for line in said)


def _said(seen: ExportSeen, version: int) -> Iterator[str]:
    columns = seen.export.columns_of(version)
    always = [c.name for c in columns if c.name in seen.empty and not seen.empty[c.name]]
    if always:
        yield f"required: {_list(always)}  # never null or empty so far"
    personal = [c.name for c in columns if c.personal and c.name not in keys_of(seen.export)]
    if personal:
        yield f"# Personal: {', '.join(personal)}; see leave_out, hash and mask."
    if seen.attributes:
        names = (_text(name) for name, _ in seen.attributes.most_common(50))
        yield f"# Attributes: {', '.join(names)}; hide one by `values: {{NAME: hash}}`."
    if seen.events:
        clash = any(len(event.spellings) > 1 for event in seen.events.values())
        if clash:
            yield "normalise: true  # some names have several spellings"
        yield "events:"
        for event in sorted(seen.events.values(), key=lambda one: -one.count):
            yield from (f"  {line}" for line in _event(event))
    if seen.more:
        yield "# There are more names than are kept in mind here."


def _event(event: EventSeen) -> Iterator[str]:
    (name, _), *others = event.spellings.most_common()
    also = ", ".join(f"{_text(other)} ({count:,})" for other, count in others)
    told = f"# {event.count:,}{f'; also {also}' if also else ''}"
    required = [
        prop
        for prop, counts in event.properties.items()
        if counts[FILLED] - counts[EMPTY] == event.count
    ]
    types = {prop: _type(prop, counts) for prop, counts in event.properties.items()}
    typed = {prop: kind for prop, kind in types.items() if kind is not None}
    if not required and not types:
        yield f"{_text(name)}: {{}}  {told}"
        return
    yield f"{_text(name)}:{'' if required or typed else ' {}'}  {told}"
    if required:
        yield f"  required: {_list(required)}"
    if typed:
        yield "  properties:"
    for prop, kind in types.items():
        if kind is not None:
            yield f"    {_text(prop)}: {kind}"
        else:
            yield f"    # {_text(prop)}: {_mixed(event.properties[prop])}"


def _type(name: str, counts: Counter[str]) -> str | None:
    """The narrowest type that all values have; None if there is none, or no value."""
    for kind in _ORDER if counts[FILLED] else ():
        may_be = _OF_TIMES.search(name) or kind not in {"unix", "unix_ms"}
        if counts[kind] == counts[FILLED] and may_be:
            return kind
    return None


def _mixed(counts: Counter[str]) -> str:
    if not counts[FILLED]:
        return "always null"
    of_json = [kind for kind in ("string", "number", "boolean", "object", "array") if counts[kind]]
    return ", ".join(f"{kind} ({counts[kind]:,})" for kind in of_json)


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _text(name: str) -> str:
    """A name as YAML has it on one line."""
    if _PLAIN.fullmatch(name) and name.lower() not in _NO_TEXT:
        return name
    return yaml.dump(name, default_style='"', width=10**9, allow_unicode=True).strip()

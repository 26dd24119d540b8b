"""Whether a data contract can hold for a sync: what of it contradicts the exports that it has."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cio_pipeline.conforming.columns import ATTRIBUTE, JSON_OBJECTS
from cio_pipeline.contracts.declare import Column, ColumnType, Export
from cio_pipeline.contracts.feeds import exports_in
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.data_contract import DataContract, ExportTerms
from cio_pipeline.model.sync import Sync

Place: TypeAlias = tuple[str | int, ...]

_HIDING = ("leave_out", "hash", "mask")
_JSON = JSON_OBJECTS | {"context", "integrations", "extra"}
"""Columns of JSON: no reader could read them hashed or masked."""

_OF_EVENTS = frozenset({"data", "event_text"})
"""Columns that only exports of events have."""

_STATES = frozenset({"deleted", "suppressed", "received_at"})
"""Columns that say of which kind or of which time a row is, in every export."""


@dataclass(frozen=True)
class Contradiction:
    """What a data contract says that cannot be: where in it, why, and what to write instead."""

    place: Place
    text: str


def contradictions(contract: DataContract, sync: Sync) -> Iterator[Contradiction]:
    """All that cannot hold for the sync, in the contract's order."""
    known = {export.name: export for export in exports_in(sync)}
    for name, terms in contract.exports.items():
        place = ("exports", name)
        if name not in known:
            told = f"this sync has no export `{name}`"
            yield Contradiction(place, _with_names(told, name, [*known]))
        else:
            for one in _of_export(terms, known[name], sync.version):
                yield Contradiction((*place, *one.place), one.text)


def _of_export(terms: ExportTerms, export: Export, version: int) -> Iterator[Contradiction]:
    columns = {column.name: column for column in export.columns_of(version)}
    for field in ("required", *_HIDING):
        for number, name in enumerate(getattr(terms, field)):
            column = columns.get(name)
            if column is None:
                text = _with_names(f"there is no column `{name}`", name, [*columns])
            else:
                text = _no_hiding(field, column, export) if field in _HIDING else None
            if text is not None:
                yield Contradiction((field, number), text)
    if terms.events is not None and not has_events(export):
        yield Contradiction(("events",), f"{export.name} has no events; leave it out")
    if terms.values and not columns.keys() & {ATTRIBUTE, *JSON_OBJECTS}:
        told = f"{export.name} has no attributes and no `data`; leave it out"
        yield Contradiction(("values",), told)


def _no_hiding(field: str, column: Column, export: Export) -> str | None:
    """Why a column cannot be left out, hashed or masked; None if it can."""
    name = column.name
    if name in keys_of(export):
        return f"`{name}` is a key of {export.name}: without it nobody can tell its rows apart"
    if name in _STATES or name in export.needs or column.choices:
        return f"`{name}` says what a row of {export.name} means: it is always sent as it is"
    if field == "leave_out":
        return None
    if column.type is not ColumnType.STRING or name in _JSON:
        what = "JSON" if name in _JSON else column.type.value
        return f"`{name}` is {what}, not text; it can only be left out"
    return None


def keys_of(export: Export) -> frozenset[str]:
    """The columns that tell rows and entities apart, and which is the newest."""
    identity = SOURCE_TABLES[export.source].identity
    newest = () if export.newest_by is None else (export.newest_by,)
    return frozenset(("workspace_id", *identity, *export.row_key, *export.entity_key, *newest))


def has_events(export: Export) -> bool:
    """Whether rows of an export are events with names and properties."""
    return any(column.name in _OF_EVENTS for column in export.columns)


def _with_names(told: str, wrong: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, known, 1)
    if close:
        return f"{told}; did you mean `{close[0]}`?"
    return f"{told}; it has {', '.join(known)}"

"""A data contract: what a sync promises its readers beyond the export's schema (seed 002, O1, O2).

Only the shape is checked here; whether it agrees with the exports that a sync has is told by
`conforming.agreeing`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from cio_pipeline.model.destinations import SecretRef, Strict
from cio_pipeline.model.event_names import words

PropertyType: TypeAlias = Literal[
    "string",
    "integer",
    "number",
    "boolean",
    "object",
    "array",
    "date",
    "iso8601",
    "rfc3339",
    "unix",
    "unix_ms",
]
"""What a property is: a type of JSON, or one of five ways to write a time."""

_Names: TypeAlias = tuple[Annotated[str, Field(min_length=1)], ...]


class EventTerms(Strict):
    """What holds for the events of one name."""

    spellings: Annotated[
        _Names, Field(description="Other spellings of this name; they are sent as this one.")
    ] = ()
    required: Annotated[
        _Names, Field(description="Properties that must be there, neither null nor empty text.")
    ] = ()
    properties: Annotated[
        dict[str, PropertyType],
        Field(description="Types of properties, where they are there and not null."),
    ] = {}  # noqa: RUF012 - pydantic copies it
    other_properties: Annotated[
        Literal["send", "quarantine"],
        Field(description="What becomes of an event with a property that is not named here."),
    ] = "send"


class ExportTerms(Strict):
    """What holds for the rows of one export."""

    required: Annotated[
        _Names, Field(description="Columns that must hold something: not null, no empty text.")
    ] = ()
    leave_out: Annotated[
        _Names, Field(description="Columns that are sent empty; the file's schema stays.")
    ] = ()
    hash: Annotated[
        _Names, Field(description="Columns of text that are sent as SHA-256 of salt and value.")
    ] = ()
    mask: Annotated[
        _Names,
        Field(description="Columns of text that are sent as `j***@acme.example`."),
    ] = ()
    values: Annotated[
        dict[Annotated[str, Field(min_length=1)], Literal["leave_out", "hash", "mask"]],
        Field(
            description="Attributes, or properties of events, whose value is sent empty, hashed or "
            "masked, by name."
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    events: Annotated[
        dict[Annotated[str, Field(min_length=1)], EventTerms] | None,
        Field(description="The event names that are allowed; without it, all are."),
    ] = None
    normalise: Annotated[
        bool,
        Field(
            description="Send every spelling that has the same words as a name in `events` as "
            "that name."
        ),
    ] = False
    other_events: Annotated[
        Literal["send", "quarantine"],
        Field(description="What becomes of events of other names."),
    ] = "quarantine"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        hidden = [*self.leave_out, *self.hash, *self.mask]
        twice = sorted({name for name in hidden if hidden.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands twice in leave_out, hash and mask; choose one")
        if self.events is None and (self.normalise or self.other_events == "send"):
            raise ValueError("normalise and other_events need `events`: the names that are meant")
        clash = next(self._clashes(), None)
        if clash:
            raise ValueError(f"{clash}; keep one name, and list others as its spellings")
        return self

    def _clashes(self) -> Iterator[str]:
        """Spellings that two events claim."""
        known: dict[str, str] = {}
        for name, terms in (self.events or {}).items():
            for text in dict.fromkeys((name, *terms.spellings)):
                other = known.setdefault(words(text) if self.normalise else text, name)
                if other != name:
                    yield f"'{other}' and '{name}' both have the spelling '{text}'"

    @property
    def hashes(self) -> bool:
        """Whether a salt is needed."""
        return bool(self.hash) or "hash" in self.values.values()

    @property
    def spelling(self) -> Mapping[str, str]:
        """The declared name of each spelling that is listed."""
        events = self.events or {}
        return {text: name for name, one in events.items() for text in (name, *one.spellings)}


class Terms(Strict):
    """What of a data contract one export's plans are made under: a value that is stored."""

    salt: SecretRef | None = None
    of: ExportTerms

    @property
    def body(self) -> str:
        """Canonical JSON; what is not said is left out, so that later releases write the same."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """16 hex digits that name it."""
        return hashlib.sha256(self.body.encode()).hexdigest()[:16]


@lru_cache(maxsize=1024)
def read_terms(body: str) -> Terms:
    """Terms from their stored body."""
    return Terms.model_validate_json(body)


class DataContract(Strict):
    """A data contract file, or the `contract` of a sync."""

    salt: Annotated[
        SecretRef | None, Field(description="Reference to the salt of hashed columns.")
    ] = None
    exports: Annotated[
        dict[str, ExportTerms], Field(min_length=1, description="What holds, by export.")
    ]

    @model_validator(mode="after")
    def _salted(self) -> Self:
        hashing = [name for name, terms in self.exports.items() if terms.hashes]
        if hashing and self.salt is None:
            raise ValueError(f"{hashing[0]} hashes values; write `salt: env:NAME` beside `exports`")
        return self

    def terms(self, export: str) -> Terms | None:
        """What an export's plans are made under; None if it says nothing of it.

        Syncs of which this is equal share the bytes of their files.
        """
        found = self.exports.get(export)
        if found is None or found == ExportTerms():
            return None
        return Terms(salt=self.salt if found.hashes else None, of=found)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The names of the terms by export, of exports that it says something of."""
        found = {export: self.terms(export) for export in self.exports}
        return {export: terms.digest for export, terms in found.items() if terms is not None}

    def told(self) -> dict[str, Any]:
        """Each thing that it says, by its place: `events: hash` → `[…]`."""
        return dict(_flat(self.model_dump(mode="json", exclude_defaults=True), ()))


def _flat(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _flat(inner, (*place, str(name)))  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield ", ".join(place), value

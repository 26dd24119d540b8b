"""Erasing a person from what was delivered: whom it is about, and what was rewritten."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self


@dataclass(frozen=True)
class Traces:
    """What tells that a row or an object is about a person.

    `people` are the ids that exports name them by, `names` all that calls and messages may name
    them by: these ids, ids of customers, addresses. `deliveries` and `journeys` were theirs,
    `anonymous` are ids under which they called before they were known.
    """

    people: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    deliveries: frozenset[str] = frozenset()
    journeys: frozenset[str] = frozenset()
    anonymous: frozenset[str] = frozenset()

    @property
    def called(self) -> tuple[frozenset[str], frozenset[str]]:
        """All ids that they called under."""
        return self.names, self.anonymous

    def __or__(self, other: "Traces") -> Self:
        """Both together."""
        return replace(self, **{name: its | vars(other)[name] for name, its in vars(self).items()})

    def with_hashed(self, salts: Collection[bytes]) -> "Traces":
        """With what data contracts send instead of each: SHA-256 of a salt and it.

        Of addresses also as they are in lower case, since a hash tells no other spelling.
        """
        plain = {
            name: its | {one.lower() for one in its if "@" in one}
            for name, its in vars(self).items()
        }
        hashed = {
            name: frozenset(_hashed(salt, one) for salt in salts for one in its)
            for name, its in plain.items()
        }
        return self | Traces(**hashed)


def _hashed(salt: bytes, text: str) -> str:
    return hashlib.sha256(salt + text.encode()).hexdigest()


def subject_of(workspace_id: int, person: str) -> str:
    """A digest that stands for a person where they must not be named: receipts, the ledger."""
    return hashlib.sha256(f"{workspace_id}/{person}".encode()).hexdigest()


@dataclass(frozen=True)
class Rewrite:
    """A delivered file that is rewritten in place, as manifests say it (`Superseded`).

    It lies in the spool until its bucket holds it. `ordinal` is the manifest that tells of it.
    """

    sync_id: str
    key: str
    before: str
    sha256: str
    rows: int
    bytes: int
    spool: str
    subject: str
    at: datetime
    ordinal: int | None = field(default=None)

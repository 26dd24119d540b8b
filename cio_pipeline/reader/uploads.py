"""The rows of an audience's file, and who is on which side of it (O7)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

from cio_pipeline.reader.audiences import HOLDOUT, Member
from cio_pipeline.reader.match_keys import KeysOf, e164

Cells: TypeAlias = tuple[object, ...]
Side: TypeAlias = tuple[int, str, str]
"""Workspace, person, side."""

CLEAR = ("workspace_id", "internal_customer_id", "customer_id", "email", "phone", "since", "score")

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What begins a cell that a spreadsheet takes for a formula."""


@dataclass
class Upload:
    """A file in the making: who was left out, and why; whom it reaches, and whom it does not."""

    held_out: int = 0
    without_keys: int = 0
    same_keys: int = 0
    inert: int = 0
    _held: Mapping[tuple[int, str], set[str]] = field(
        default_factory=dict[tuple[int, str], set[str]]
    )
    _shared: set[str] = field(default_factory=set[str])
    _reached: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def chosen(self, people: Iterable[Member], *, with_holdout: bool) -> Iterator[Member]:
        """Those who are to be reached."""
        for one in people:
            if one.side == HOLDOUT and not with_holdout:
                self.held_out += 1
            else:
                yield one

    def hold(self, people: Iterable[Member], keys: KeysOf) -> None:
        """Keep the keys of those held out: whoever has one of them, too, would bring them in."""
        found = ((one, set(keys(one.email, one.phone)) - {""}) for one in people)
        self._held = {_person(one): has for one, has in found if one.side == HOLDOUT and has}

    def hashed(self, people: Iterable[Member], keys: KeysOf) -> Iterator[Cells]:
        """The match keys of each, once."""
        seen: set[tuple[str, str]] = set()
        for one, found in self._apart(people, keys):
            if not any(found):
                self.without_keys += 1
                continue
            self._reached.append(_person(one))
            if found in seen:
                self.same_keys += 1
            else:
                seen.add(found)
                yield found

    def in_the_clear(
        self, people: Iterable[Member], keys: KeysOf, country: str | None
    ) -> Iterator[Cells]:
        """Ids, address and number of each, the number as E.164 where it can be one."""
        for one, _ in self._apart(people, keys):
            phone = e164(one.phone, country) or self._harmless(one.phone)
            ids = (self._harmless(one.internal_customer_id), self._harmless(one.customer_id))
            since = one.since and one.since.isoformat()
            yield (one.workspace_id, *ids, self._harmless(one.email), phone, since, one.score)

    def _apart(
        self, people: Iterable[Member], keys: KeysOf
    ) -> Iterator[tuple[Member, tuple[str, str]]]:
        closed = set(chain.from_iterable(self._held.values()))
        for one in people:
            found = keys(one.email, one.phone)
            if closed.isdisjoint(found):
                yield one, found
            else:
                self.held_out += 1
                self._shared.update(found)

    def sides(self) -> Iterator[Side]:
        """Who is in the file, and who is held out and shares no key with anybody to be reached.

        Of the two sides, nobody else can be compared.
        """
        yield from ((*person, "reached") for person in self._reached)
        for person, keys in self._held.items():
            if self._shared.isdisjoint(keys):
                yield (*person, HOLDOUT)

    def _harmless(self, text: str | None) -> str | None:
        """People write their ids and addresses themselves: what would be run is quoted."""
        if text is None or not text.startswith(_RUN):
            return text
        self.inert += 1
        return f"'{text}"


def _person(one: Member) -> tuple[int, str]:
    return one.workspace_id, one.internal_customer_id

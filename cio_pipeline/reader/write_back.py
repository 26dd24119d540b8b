"""Sending what an audience says back to the platform, as an attribute of its people (O7).

Only what differs from what was sent before, which the warehouse remembers: a run that is
interrupted goes on where it was.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus
from itertools import islice
from typing import Protocol, TypeAlias

from cio_pipeline.destinations.paced import Pace
from cio_pipeline.destinations.patience import Patience, keep_trying
from cio_pipeline.extras import needs
from cio_pipeline.model.errors import InvalidConfig, Permanent, Transient

AT_ONCE = 8
"""Requests under way at a time."""

KEPT = 200
"""People after whom it is written down that they were sent."""

_THEIR_TROUBLE = 500

Value: TypeAlias = str | int | float | bool


class Region(StrEnum):
    """Where the account is."""

    US = "us"
    EU = "eu"


class Throttled(Transient):
    """The platform asks to wait, cannot be reached, or has trouble of its own."""


class KeysRefused(Permanent):
    """The platform does not know the site id or the key."""


class PersonRefused(Permanent):
    """The platform takes everything but this."""


@dataclass(frozen=True)
class Change:
    """An attribute's new value for one person; `before` is what was sent last, None if nothing.

    The empty text takes the attribute away: who has left the audience.
    """

    workspace_id: int
    internal_customer_id: str
    value: Value
    before: str | None


class Track(Protocol):
    """What is needed of the platform's client."""

    def identify(self, id: str, **attributes: Value) -> object:  # noqa: A002 - its name
        """Set attributes of one person."""
        ...


def account_of(site_id: str, region: Region) -> str:
    """A name of the account that tells it from others, and not what its site id is."""
    return f"{region}:{sha256(site_id.encode()).hexdigest()[:16]}"


def client(site_id: str, api_key: str, region: Region, url: str | None) -> Track:
    """The platform's own client; `url` stands for its endpoint, as a proxy's would.

    It retries nothing itself: it does not know of throttling.
    """
    library = needs("customerio")
    regions = {Region.US: library.Regions.US, Region.EU: library.Regions.EU}
    found = library.CustomerIO(site_id, api_key, region=regions[region], retries=0, timeout=20)
    if url is not None:
        found.base_url = url.rstrip("/")
    return found


def send(track: Track, change: Change, attribute: str) -> None:
    """Set the attribute of one person; somebody who is gone is not made anew.

    Raises Throttled, KeysRefused and PersonRefused, none of which quotes the person or the value.
    """
    try:
        # By this id the platform changes people, but makes none.
        track.identify(f"cio_{change.internal_customer_id}", **{attribute: change.value})
    except needs("customerio").CustomerIOException as error:
        raise _meant(str(error)) from None


def _meant(text: str) -> Exception:
    """The library's text begins with the status; what follows quotes the person."""
    found = re.match(r"([1-5]\d\d): ", text)
    status = int(found.group(1)) if found else None
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return KeysRefused(
            "The platform refuses the site id or the key.", "Check both, and the region."
        )
    if status is None or status == HTTPStatus.TOO_MANY_REQUESTS or status >= _THEIR_TROUBLE:
        what = "cannot be reached" if status is None else f"answers {status}"
        return Throttled(f"The platform {what}.", "Run it again later: it goes on where it was.")
    return PersonRefused(f"The platform answers {status} for a person.", "Check the attribute.")


@dataclass
class Sent:
    """What became of the changes."""

    sent: int = 0
    refused: int = 0


def send_all(
    changes: Iterable[Change],
    one: Callable[[Change], None],
    keep: Callable[[Sequence[Change]], None],
    pace: Pace,
    patience: Patience,
) -> Iterator[Sent]:
    """Send changes, some at a time; `keep` is told of those that arrived.

    Yields what has come of them so far. Whoever is refused alone is counted and sent anew by the
    next run. Raises Throttled once patience is over, and KeysRefused; what arrived before is kept.
    """
    done = Sent()

    def attempt(change: Change) -> Exception | None:
        def once() -> None:
            pace.wait()
            one(change)

        try:
            keep_trying(patience, once)
        except (Throttled, KeysRefused, PersonRefused) as error:
            return error
        return None

    left = iter(changes)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while some := list(islice(left, KEPT)):
            errors = list(threads.map(attempt, some))
            arrived = [change for change, error in zip(some, errors, strict=True) if error is None]
            keep(arrived)
            done.sent += len(arrived)
            done.refused += sum(isinstance(error, PersonRefused) for error in errors)
            yield done
            for error in errors:
                if isinstance(error, Throttled | KeysRefused):
                    raise error


@dataclass(frozen=True)
class Tiers:
    """Names for a score: the first whose least score it reaches; None without tiers."""

    steps: tuple[tuple[str, float], ...]

    def of(self, score: float | None) -> str | None:
        """The tier of a score; None below all of them, or without a score."""
        if score is None:
            return None
        return next((name for name, least in self.steps if score >= least), None)


_THEIRS = frozenset({"id", "email", "self", "created_at", "anonymous_id"})
"""Attributes that say who somebody is to the platform, or to its library."""


def checked_attribute(name: str) -> str:
    """An attribute's name as it is; raises InvalidConfig for one that tells who somebody is.

    Such as `email`: everybody in the audience would lose theirs.
    """
    plain = name.strip().lower()
    if not plain or plain in _THEIRS or plain.startswith(("_", "cio_")):
        raise InvalidConfig(
            f"'{name}' is an attribute of the platform's own.", "Write back to one of yours."
        )
    return name


def checked_endpoint(url: str | None) -> str | None:
    """An endpoint as it is; raises InvalidConfig for what is none, which is not repeated."""
    if url is None or re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        return url
    raise InvalidConfig(
        "The endpoint is http:// or https:// with a host, and a path.",
        "Correct --url, or leave it out.",
    )


def tiers(texts: Iterable[str]) -> Tiers:
    """Tiers from NAME=LEAST; raises InvalidConfig for what is none, or is another's twin."""
    steps = [_tier(text) for text in texts]
    for which in zip(*steps, strict=True):
        if len(set(which)) < len(which):
            raise InvalidConfig(
                "Two tiers have one name, or one least score.", "Give each its own of both."
            )
    return Tiers(tuple(sorted(steps, key=lambda step: -step[1])))


def _tier(text: str) -> tuple[str, float]:
    name, _, least = text.rpartition("=")
    try:
        score = float(least)
    except ValueError:
        score = math.nan
    if not name or not math.isfinite(score):
        raise InvalidConfig(f"'{text}' is no tier.", "Write --tier gold=500, name and least score.")
    return name, score

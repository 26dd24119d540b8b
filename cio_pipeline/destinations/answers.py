"""What a store is asked for and what it answers, whatever its protocol."""

import re
from dataclasses import dataclass
from typing import ClassVar

from cio_pipeline.model.errors import (
    DestinationError,
    DestinationUnavailable,
    ObjectConflict,
    ObjectMissing,
)

AGAIN = "It is tried again; if it stays, see docs/destinations.md for what to allow."

_NETWORK = (
    (
        r"CA (certificate )?bundle",
        "the certificates that AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE names cannot be read",
    ),
    (r"refused", "the connection was refused"),
    (r"dns|resolve|Name or service|NameResolution", "its name is unknown"),
    (r"certificate|TLS|SSL", "its certificate was not accepted"),
    (r"reset|aborted|closed|Interrupted|IncompleteMessage|broken pipe", "the connection was reset"),
    (r"time[d_]? ?out|TimedOut|Timeout", "there was no answer in time"),
)


@dataclass(frozen=True)
class Answer:
    """A store's answer: status (None: there was none), error code, and a text that stays here."""

    status: int | None
    code: str
    text: str

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which no store sends: they answer with a code."""
        return not self.code and bool(re.search("<!doctype html|<html", self.text, re.IGNORECASE))


@dataclass(frozen=True)
class Request:
    """What is asked for, and the right that it needs; key None: the whole bucket.

    `creates`: only if nothing lies under the key.
    """

    doing: str
    right: str
    key: str | None = None
    creates: bool = False

    whole: ClassVar = "the bucket"
    store: ClassVar = "S3 store"

    def __str__(self) -> str:
        place = self.whole if self.key is None else f"'{self.key}'"
        return f"Cannot {self.doing} {place}"

    def unreached(self, text: str) -> str:
        """Why there was no answer, by a library's text, which may hold secrets itself."""
        if re.search(r"metadata from headers|invalid list response", text, re.IGNORECASE):
            return f"what answered is no {self.store}"
        found = (words for pattern, words in _NETWORK if re.search(pattern, text, re.IGNORECASE))
        return next(found, "the connection failed")

    def met_a_page(self, answer: Answer) -> DestinationError:
        """The error for a refusal that is a web page: no store answers so, a proxy does."""
        return DestinationError(
            f"{self}: a page refused it ({answer.status}). What answered is no {self.store}, but a "
            "proxy or a firewall on the way.",
            "Let it pass what docs/destinations.md allows, or correct the sync's address.",
        )

    def unasked(self) -> DestinationError:
        """The error for a condition that is said not to hold, where none was set."""
        return DestinationError(
            f"{self}: it was refused for a condition (412) that was not set.",
            "Look what stands between: a proxy that answers itself, or a bucket's own rule.",
        )


PAGE = "<html>"
"""Stands in an answer's text for a page that a client does not pass on."""


class Taken(Exception):
    """Something lies under the key of a create-only write; never leaves the adapter."""


def missing(key: str) -> ObjectMissing:
    """The error for an object that is not there."""
    return ObjectMissing(
        f"There is no object '{key}'.", "`cio-pipeline verify` lists what is lost."
    )


def in_vain(key: str) -> DestinationUnavailable:
    """The error for a key that was called taken, and under which nothing lies."""
    return DestinationUnavailable(
        f"Cannot write '{key}': it was refused as if something lay there, and nothing does.",
        "It is tried again later; if it stays, look for a proxy on the way that answers itself.",
    )


def conflict(key: str) -> ObjectConflict:
    """The error for a key under which other bytes lie than ours."""
    return ObjectConflict(
        f"Something else lies under '{key}'; it was not overwritten.",
        "If it may be ours, since a ledger was set back: `cio-pipeline ledger check` tells, and "
        "what to do. Else find out who writes there, and move it away.",
    )

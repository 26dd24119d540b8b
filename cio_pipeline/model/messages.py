"""A message of the messages feed, as it comes in (M1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """`metadata` holds the entries that are there; `payload` is the JSON text of an object."""

    metadata: Mapping[str, str] = field(hash=False)
    payload: str

    @property
    def body(self) -> bytes:
        """The object's bytes: the payload, unchanged, under `data`."""
        return b'{"data": ' + self.payload.encode() + b"}"

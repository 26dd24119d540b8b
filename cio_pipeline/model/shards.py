"""Shards: the syncs in parts that runs of their own serve, on several machines if there are any."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cio_pipeline.model.errors import InvalidConfig


@dataclass(frozen=True, order=True)
class Shard:
    """Part `number`, from 1, of so many; written `2/4`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, sync_id: str) -> bool:
        """Whether a sync is served with this shard: by its id alone, so it stays there."""
        digest = sha256(sync_id.encode()).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1


def shards(of: int) -> Sequence[Shard | None]:
    """All shards of so many; None stands for all syncs at once."""
    return [Shard(number, of) for number in range(1, of + 1)] if of > 1 else [None]


def parse_shard(text: str) -> Shard:
    """The shard that is written so; raises InvalidConfig if none is."""
    number, _, of = text.partition("/")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
        return Shard(int(number), int(of))
    raise InvalidConfig(f"There is no shard '{text}'.", "Write it like 2/4: the second of four.")
